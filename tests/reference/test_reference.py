"""The numbers of small fixed runs stay what they were, whatever happens to the code's structure."""

from __future__ import annotations

import pytest

from tests.reference.cases import CASES, tolerance
from tests.reference.measure import differences, load_values, measure

UNCOMPILED = sorted(CASES.keys() - {"compiled"})
"""Compiling takes a minute the first time; tests/training/test_compiled.py holds it to these."""


@pytest.mark.filterwarnings("ignore:overlay")
@pytest.mark.parametrize("name", UNCOMPILED)
def test_a_fixed_run_gives_the_recorded_numbers(name, tmp_path):
    measured = measure(CASES[name], tmp_path / "run")
    assert differences(measured, load_values()[name], tolerance(CASES[name])) == []


def test_every_case_is_recorded():
    assert load_values().keys() == CASES.keys()


def test_a_moved_number_is_named():
    assert differences({"a": 1.0, "b": 2.0}, {"a": 1.1, "c": 2.0}, 1e-3) == [
        "b: only in one of both",
        "c: only in one of both",
        "a: 1.1 before, 1.0 now",
    ]
