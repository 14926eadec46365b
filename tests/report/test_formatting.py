"""Numbers as people read them."""

from __future__ import annotations

import pytest

from parse_dfl.report.formatting import (
    MISSING,
    accuracy_entries,
    counted,
    duration,
    entries,
    file_size,
    listed,
    percent,
    percent_interval,
    points_interval,
    signed_points,
)
from parse_dfl.report.statistics import Interval

WIDE = Interval(mean=-0.018, half=0.007, count=3)
ALONE = Interval(mean=0.8421, half=None, count=1)


def test_accuracies_are_percent_with_half_their_interval():
    assert (percent(0.8421), percent(None)) == ("84.2", MISSING)
    assert percent_interval(ALONE) == "84.2"
    assert percent_interval(Interval(mean=0.8, half=0.011, count=2)) == "80.0 ± 1.1"


def test_differences_have_a_sign_that_is_no_hyphen():
    assert signed_points(WIDE) == "−1.8 ± 0.7"
    assert points_interval(WIDE) == "−1.8 points (95 % interval −2.5 to −1.1)"
    assert signed_points(ALONE) == "+84.2"
    assert points_interval(ALONE) == "+84.2 points"


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (12_340, "12.3 kB"), (4.12e8, "412.0 MB"), (3e9, "3.0 GB")],
)
def test_sizes_have_decimal_units(count, text):
    assert file_size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.421, "0.42 s"), (12.34, "12.3 s"), (250, "4 min 10 s"), (7500, "2 h 05 min")],
)
def test_durations_have_the_units_that_fit(seconds, text):
    assert duration(seconds) == text


def test_words_are_counted_and_listed():
    assert counted(1, "loss", "losses") == "1 loss"
    assert counted(2, "loss", "losses") == "2 losses"
    assert counted(0, "cell") == "0 cells"
    assert [listed(list(names)) for names in ("a", "ab", "abc")] == ["a", "a and b", "a, b and c"]


def test_the_best_that_competes_is_marked():
    values = {"a": 0.5, "b": 0.7, "bound": 0.9}

    def accuracy(name):
        return Interval(mean=values[name], half=None, count=1) if name in values else None

    column = accuracy_entries([*values, "none"], accuracy, lambda name: name != "bound")
    assert [entry.text for entry in column] == ["50.0", "70.0", "90.0", MISSING]
    assert [entry.best for entry in column] == [False, True, False, False]
    assert not any(entry.best for entry in entries(("x", "y")))
