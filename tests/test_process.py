"""Tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import parse_dfl
from parse_dfl.process import OTHERS, PASSIVE, THREADS, WAITS, command, tune_process


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
