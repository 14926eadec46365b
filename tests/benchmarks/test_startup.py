"""How long a person waits is measured on the command itself."""

from __future__ import annotations

import sys

import pytest

from benchmarks.speed import startup, tables
from benchmarks.speed.startup import Wait, measure


@pytest.mark.parametrize("name", startup.WAITS)
def test_a_wait_is_that_of_the_command(name: str) -> None:
    wait = measure(name, repeats=1)
    assert 0 < wait.median_s == wait.longest_s
    assert wait.repeats == 1


def test_a_run_that_fails_is_no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "_command", lambda *_: [sys.executable, "-c", "exit(3)"])
    with pytest.raises(RuntimeError, match="no round was finished; exit status 3"):
        measure("first round of parse-dfl run", repeats=1)


def test_repeats_are_summed_up_without_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = iter([9.0, 0.1, 0.3, 0.2])
    monkeypatch.setattr(startup, "WAITS", {"x": lambda: next(waits)})
    assert measure("x", repeats=3) == Wait(0.2, 0.3, 3)


def test_bytecode_is_kept_as_a_person_would_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert "PYTHONDONTWRITEBYTECODE" not in startup.environment()


def test_the_table_of_waits() -> None:
    machine = {"date": "d", "processor": "p", "cores": 2, "memory_gib": 24, "torch": "t"}
    row = {"what": "help", "median_s": 0.251, "longest_s": 0.4, "repeats": 9, "others": 0.0}
    told = tables.render({"machine": machine | {"threads": 1}, "startup": [row]})
    assert "| help | 0.25 | 0.40 | 9 |" in told
