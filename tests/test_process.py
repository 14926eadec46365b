from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

import parse_dfl
from parse_dfl.errors import ConfigError
from parse_dfl.process import (
    ALLOCATOR_SETTINGS,
    ECHO_S,
    OTHERS,
    PASSIVE,
    STOPS,
    THREADS,
    WAITS,
    Launch,
    Stopped,
    command,
    format_bytes,
    interrupt_after_round,
    interrupt_at_once,
    keep_freed_memory,
    launch,
    memory_bytes,
    processors,
    thread_count,
    torch_threads,
    tune_process,
)


@pytest.mark.parametrize(
    ("argv", "python", "expected"),
    [
        (".venv/bin/parse-dfl", "python", ".venv/bin/parse-dfl run 'my run'"),
        ("my env/bin/parse-dfl", "python", "'my env/bin/parse-dfl' run 'my run'"),
        ("/x/parse_dfl/__main__.py", "./python3", "./python3 -m parse_dfl run 'my run'"),
        ("experiment.py", "python", "parse-dfl run 'my run'"),
    ],
)
def test_a_hint_is_what_the_user_typed(monkeypatch, argv, python, expected):
    monkeypatch.setattr(sys, "argv", [argv])
    monkeypatch.setattr(sys, "orig_argv", [python])
    monkeypatch.setattr(sys, "executable", "/elsewhere/python3")
    assert command("run", "my run") == expected


def test_on_the_search_path_the_name_is_enough(monkeypatch, tmp_path):
    script = tmp_path / "parse-dfl"
    script.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [str(script)])
    assert command("data") == "parse-dfl data"


VARIABLES = (THREADS, *OTHERS, *WAITS)


def tuned(threads=None, **environment):
    tune_process(threads, environment)
    return environment


def test_one_thread_that_waits_asleep():
    assert tuned() == dict.fromkeys((THREADS, *OTHERS), "1") | PASSIVE


def test_what_a_user_set_stands():
    assert tuned(OMP_NUM_THREADS="6", GOMP_SPINCOUNT="5") == {
        "OMP_NUM_THREADS": "6",
        "GOMP_SPINCOUNT": "5",
    }


def test_an_explicit_number_overrules_the_environment():
    found = tuned(3, OMP_NUM_THREADS="6", MKL_NUM_THREADS="5")
    assert {found[name] for name in (THREADS, *OTHERS)} == {"3"}


def test_a_library_that_is_loaded_is_told(monkeypatch, two_torch_threads):
    for name in VARIABLES:
        monkeypatch.setenv(name, "7")
    tune_process(1)
    assert torch.get_num_threads() == 1


COMMAND = """
import sys
from parse_dfl.cli import main
main(sys.argv[1:])
import torch
print("threads", torch.get_num_threads())
"""
IMPORT = """
import os
before = dict(os.environ)
import parse_dfl
from parse_dfl import Federation, compare
assert dict(os.environ) == before
"""


def told(program, *argv, **environment):
    clean = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    source = str(Path(parse_dfl.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", program, *argv],
        capture_output=True,
        text=True,
        check=True,
        env=clean | {"PYTHONPATH": source} | environment,
    )
    return done.stdout


@pytest.mark.parametrize(
    ("argv", "environment", "threads"),
    [
        ([], {}, 1),
        ([], {"OMP_NUM_THREADS": "2"}, 2),
        (["--threads", "2"], {"OMP_NUM_THREADS": "1"}, 2),
    ],
)
def test_the_command_line_chooses_before_torch_is_loaded(argv, environment, threads):
    command = ["run", "--resume", "no such folder", *argv]
    assert told(COMMAND, *command, **environment).endswith(f"threads {threads}\n")


def test_importing_the_library_changes_nothing():
    assert told(IMPORT) == ""


class Library:
    """A C library that notes what it is told."""

    def __init__(self, answer=1):
        self.told = {}
        self.answer = answer

    def mallopt(self, option, value):
        self.told[option] = value
        return self.answer


@pytest.fixture
def _ask_anew(monkeypatch):
    for name in ALLOCATOR_SETTINGS:
        monkeypatch.delenv(name, raising=False)
    keep_freed_memory.cache_clear()
    yield
    keep_freed_memory.cache_clear()


@pytest.mark.usefixtures("_ask_anew")
def test_both_thresholds_are_told_once(monkeypatch):
    library = Library()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    assert keep_freed_memory()
    assert library.told == {-1: 256 << 20, -3: 32 << 20}
    library.told.clear()
    assert keep_freed_memory()
    assert not library.told


@pytest.mark.usefixtures("_ask_anew")
@pytest.mark.parametrize("name", ALLOCATOR_SETTINGS)
def test_what_the_environment_says_stands(monkeypatch, name):
    library = Library()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    monkeypatch.setenv(name, "1")
    assert not keep_freed_memory()
    assert not library.told


@pytest.mark.usefixtures("_ask_anew")
@pytest.mark.parametrize("library", [object(), Library(answer=0)])
def test_other_c_libraries_are_left_alone(monkeypatch, library):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    assert not keep_freed_memory()


@pytest.mark.usefixtures("_ask_anew")
def test_systems_without_such_a_library_are_left_alone(monkeypatch):
    def refuse(name):
        raise TypeError("bad argument type for built-in operation")

    monkeypatch.setattr(ctypes, "CDLL", refuse)
    assert not keep_freed_memory()


TORCHRUN = {"RANK": "3", "WORLD_SIZE": "4", "MASTER_ADDR": "x", "MASTER_PORT": "1"}


def test_a_process_by_itself_is_the_main_one():
    assert launch({}) == Launch(rank=0, size=1, local_rank=0)
    assert launch({}).is_main


def test_what_torchrun_says():
    assert launch(TORCHRUN | {"LOCAL_RANK": "1"}) == Launch(rank=3, size=4, local_rank=1)
    assert not launch(TORCHRUN).is_main


def test_half_of_what_torchrun_says_is_something_else():
    assert launch({"RANK": "3", "WORLD_SIZE": "4"}).size == 1


@pytest.mark.parametrize(
    ("text", "size"),
    [("2GiB", 2 << 30), ("512 MiB", 512 << 20), ("1.5gb", 1_500_000_000), ("4096", 4096)],
)
def test_sizes_are_read_in_either_kind_of_unit(text, size):
    assert memory_bytes(text) == size


@pytest.mark.parametrize("text", ["much", "2TB", "-1GiB", "0", ""])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ConfigError, match="write it as 512MiB, 2GiB"):
        memory_bytes(text)


def test_sizes_are_shown_for_people():
    assert [format_bytes(n) for n in (2 << 30, 3 << 19, 2048)] == ["2.0 GiB", "1.5 MiB", "2 KiB"]


@pytest.mark.parametrize(
    ("threads", "compiled", "environment", "expected"),
    [
        (None, False, None, 1),
        (None, False, "3", 3),
        (None, True, None, processors()),
        (None, True, "3", 3),
        (2, True, "3", 2),
        ("all", False, "3", processors()),
    ],
)
def test_threads_from_python_follow_the_rule_of_the_command_line(
    monkeypatch, threads, compiled, environment, expected
):
    monkeypatch.delenv(THREADS, raising=False)
    if environment:
        monkeypatch.setenv(THREADS, environment)
    assert thread_count(threads, compiled=compiled) == expected


@pytest.mark.parametrize("threads", [0, -1, 1025, 1.5, True, "two"])
def test_what_is_no_number_of_threads_is_refused(threads):
    with pytest.raises(ConfigError, match="threads must be"):
        thread_count(threads, compiled=False)


def test_torch_has_as_many_threads_afterwards_as_before():
    before = torch.get_num_threads()
    with torch_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_the_first_ctrl_c_is_remembered_and_the_second_heeded():
    before = signal.getsignal(signal.SIGINT)
    with interrupt_after_round() as stop:
        assert not stop.asked
        signal.raise_signal(signal.SIGINT)
        assert stop.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_the_handler_is_put_back_after_an_error():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(RuntimeError), interrupt_after_round():
        raise RuntimeError
    assert signal.getsignal(signal.SIGINT) is before


def test_other_threads_leave_signals_alone():
    asked = []

    def work():
        with interrupt_after_round() as stop:
            asked.append((stop.asked, signal.getsignal(signal.SIGINT)))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert asked == [(False, before)]


@pytest.mark.parametrize("number", STOPS)
def test_a_scheduler_stops_a_run_as_ctrl_c_does(number):
    with interrupt_after_round() as stop:
        signal.raise_signal(number)
        assert stop.error().number == number
        with pytest.raises(Stopped) as second:
            signal.raise_signal(signal.SIGTERM)
    assert second.value.number == signal.SIGTERM


def test_what_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interrupt_after_round() as stop:
            signal.raise_signal(signal.SIGHUP)
        assert not stop.asked
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_launchers_echo_is_no_second_signal(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("parse_dfl.process.time.monotonic", lambda: now[0])
    with interrupt_after_round(echoes=True) as stop:
        signal.raise_signal(signal.SIGTERM)
        now[0] += ECHO_S / 2
        signal.raise_signal(signal.SIGTERM)
        assert stop.asked
        now[0] += ECHO_S
        with pytest.raises(Stopped):
            signal.raise_signal(signal.SIGTERM)


def test_outside_of_rounds_a_signal_ends_at_once():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Stopped), interrupt_at_once():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before
