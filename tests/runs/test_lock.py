"""One writer a folder, whatever it is told; the lock of a dead process is none."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress

import pytest

from parse_dfl.errors import OutputError
from parse_dfl.runs.folder import output_folder
from parse_dfl.runs.lock import LOCK, check_free, locked

HOLD = """
import sys
from pathlib import Path
from parse_dfl.runs.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds the lock of ``tmp_path / "run"``."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text("{}")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path / "run"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def take(folder, *, overwrite=False, resume=False):
    with output_folder(folder, overwrite=overwrite, resume=resume):
        return True


@pytest.mark.parametrize("how", [{}, {"overwrite": True}, {"resume": True}])
def test_a_second_writer_is_told_who_is_there_and_nothing_is_removed(other, tmp_path, how):
    whose = rf"in use by process {other.pid} on {socket.gethostname()} since \d{{4}}-"
    with pytest.raises(OutputError, match=whose):
        take(tmp_path / "run", **how)
    assert (tmp_path / "run" / "config.json").exists()


def test_a_run_in_a_sub_folder_keeps_the_whole_from_being_emptied(other, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(OutputError, match=rf"run is in use by process {other.pid} "):
        take(tmp_path, overwrite=True)
    assert (tmp_path / "run" / "config.json").exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_lock_of_a_dead_process_is_none(other, tmp_path, number):
    other.send_signal(number)
    other.wait()
    assert take(tmp_path / "run", overwrite=True)
    assert list((tmp_path / "run").iterdir()) == []


def test_the_lock_leaves_nothing_behind(tmp_path):
    with suppress(RuntimeError), locked(tmp_path):
        assert (tmp_path / LOCK).exists()
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def no_flock(monkeypatch):
    """A file system without locks."""

    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)


def told(folder, pid, host):
    (folder / LOCK).write_text(json.dumps({"pid": pid, "host": host, "since": "2026-01-01"}))


def test_without_locks_the_process_that_is_named_decides(no_flock, other, tmp_path):
    with pytest.raises(OutputError, match=f"in use by process {other.pid} "):
        check_free(tmp_path / "run")
    other.kill()
    other.wait()
    check_free(tmp_path / "run")


def test_without_locks_another_machine_is_believed(no_flock, tmp_path):
    told(tmp_path, 1, "elsewhere")
    with pytest.raises(OutputError, match=r"process 1 on elsewhere .* delete .*\.lock"):
        check_free(tmp_path)


def test_what_refuses_for_another_reason_is_named(monkeypatch, tmp_path):
    def refuse(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(OutputError, match=r"\.lock: Input/output error"), locked(tmp_path):
        pytest.fail("it was not taken")
