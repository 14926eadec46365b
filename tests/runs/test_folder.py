from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from parse_dfl.errors import CheckpointError, ConfigError, OutputError
from parse_dfl.runs.folder import (
    LOCK,
    append_jsonl,
    check_free,
    locked,
    output_folder,
    read_json,
    read_jsonl,
    rewrite_jsonl,
    write_json,
)


@pytest.fixture
def old_run(tmp_path):
    folder = tmp_path / "old"
    (folder / "agents").mkdir(parents=True)
    (folder / "agents" / "a.safetensors").touch()
    (folder / "summary.json").touch()
    return folder


def prepare(out, *, overwrite=False, resume=False):
    with output_folder(out, overwrite=overwrite, resume=resume) as folder:
        return folder


def test_a_new_folder_is_made_and_an_empty_one_taken(tmp_path):
    out = tmp_path / "a" / "b"
    assert prepare(out) == prepare(out) == out
    assert list(out.iterdir()) == []


def test_a_folder_in_use_is_refused(old_run):
    with pytest.raises(OutputError, match=r"is not empty; add --overwrite .*--resume"):
        prepare(old_run)


def test_overwrite_empties_what_is_ours(old_run):
    (old_run / "link").symlink_to(old_run.parent)
    prepare(old_run, overwrite=True)
    assert list(old_run.iterdir()) == []


def test_overwrite_deletes_nothing_foreign(tmp_path, monkeypatch, old_run):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(OutputError, match="is no run or comparison of this program's"):
        prepare(tmp_path, overwrite=True)
    monkeypatch.chdir(old_run / "agents")
    with pytest.raises(OutputError, match="it is not deleted"):
        prepare(old_run, overwrite=True)
    assert (tmp_path / "thesis.tex").exists()
    assert (old_run / "summary.json").exists()


def test_resume_keeps_everything(old_run):
    prepare(old_run, resume=True)
    assert (old_run / "summary.json").exists()


def test_there_must_be_something_to_resume(tmp_path):
    with pytest.raises(CheckpointError, match=r"nothing to resume: .* holds none of config.json"):
        prepare(tmp_path, resume=True)


def test_overwrite_and_resume_exclude_each_other(old_run):
    with pytest.raises(ConfigError, match="--overwrite and --resume exclude each other"):
        prepare(old_run, overwrite=True, resume=True)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file is a file; name a folder"):
        prepare(tmp_path / "file")


def test_a_folder_that_cannot_be_made_is_refused():
    with pytest.raises(OutputError, match="cannot write /proc/none"):
        prepare(Path("/proc/none"))


def test_a_read_only_folder_is_refused_at_once(tmp_path, monkeypatch):
    def read_only(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", read_only)
    with pytest.raises(OutputError, match="out: Permission denied"):
        prepare(tmp_path / "out")


def test_an_old_run_that_cannot_be_deleted_is_named(old_run, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(OutputError, match="old: Permission denied"):
        prepare(old_run, overwrite=True)


def test_json_comes_back_and_nan_becomes_null(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"ä": [1, 0.1, float("nan")], "b": {"c": (float("inf"),)}})
    assert read_json(path) == {"ä": [1, 0.1, None], "b": {"c": [None]}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", r"a.json is no JSON file: .*line 1"),
        (b"[]", "a.json holds no JSON object"),
        (b"\xff", "a.json is no text file"),
    ],
)
def test_a_corrupt_json_file_is_named(tmp_path, content, message):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        read_json(tmp_path / "a.json")


def test_a_missing_json_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"cannot read .*a.json: No such file"):
        read_json(tmp_path / "a.json")


def test_rows_are_added_and_those_of_later_rounds_dropped(tmp_path):
    path = tmp_path / "metrics.jsonl"
    append_jsonl(path, [{"round": 10}, {"round": 20}])
    append_jsonl(path, [{"round": 30, "loss": float("nan")}])
    assert [row["round"] for row in read_jsonl(path)] == [10, 20, 30]
    rewrite_jsonl(path, lambda row: row["round"] <= 20)
    assert read_jsonl(path) == [{"round": 10}, {"round": 20}]


def test_a_line_that_a_kill_cut_short_is_dropped(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"round": 10}\n{"rou')
    assert read_jsonl(path) == [{"round": 10}]
    rewrite_jsonl(path, lambda row: True)
    assert path.read_text() == '{"round": 10}\n'


@pytest.mark.parametrize(
    ("line", "message"),
    [("{", "line 2 of .*metrics.jsonl is no JSON"), ("3", "line 2 of .* holds no JSON object")],
)
def test_a_corrupt_line_is_named(tmp_path, line, message):
    path = tmp_path / "metrics.jsonl"
    path.write_text(f"{{}}\n{line}\n{{}}\n")
    with pytest.raises(CheckpointError, match=message):
        read_jsonl(path)


def test_no_metrics_yet_are_no_error(tmp_path):
    rewrite_jsonl(tmp_path / "metrics.jsonl", lambda row: True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_named():
    with pytest.raises(OutputError, match="cannot write /dev/full: No space left"):
        append_jsonl(Path("/dev/full"), [{}])


HOLD = """
import sys
from pathlib import Path
from parse_dfl.runs.folder import locked
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
