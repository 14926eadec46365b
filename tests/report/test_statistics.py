"""The formulas against cases computed by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parse_dfl.report.statistics import (
    competes,
    gap_closed,
    holm,
    interval,
    is_rival,
    paired_difference,
    paired_p,
)


def test_an_interval_by_hand():
    """Values 1, 2, 3: deviation 1, so half is t(0.975; 2) / √3 = 4.302653 / 1.732051."""
    found = interval([1.0, 2.0, 3.0])
    assert (found.mean, found.count) == (2.0, 3)
    assert found.half == pytest.approx(2.484138, abs=1e-6)


def test_one_value_has_no_interval():
    assert interval([0.7]).half is None


def test_a_paired_p_by_hand():
    """Differences 1, 2, 3: t = 2√3 with 2 degrees of freedom, p = 1 − t/√(t² + 2)."""
    t = 2 * math.sqrt(3)
    expected = 1 - t / math.sqrt(t * t + 2)
    assert paired_p([2.0, 4.0, 6.0], [1.0, 2.0, 3.0]) == pytest.approx(expected)
    assert paired_p([1.0, 2.0, 3.0], [2.0, 4.0, 6.0]) == pytest.approx(expected)
    assert paired_difference([2.0, 4.0, 6.0], [1.0, 2.0, 3.0]).mean == 2.0


def test_equal_differences_have_a_p_without_a_warning():
    assert paired_p([0.5, 0.6], [0.5, 0.6]) == 1.0
    assert paired_p([0.5, 0.6, 0.7], [0.4, 0.5, 0.6]) == 0.0


def test_one_pair_cannot_be_tested():
    assert paired_p([0.5], [0.4]) is None


def test_holm_by_hand():
    """Sorted .005 .01 .03 .04 times 4, 3, 2, 1: .02 .03 .06 .04, the last lifted to .06."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.6, 0.7]) == [1.0, 1.0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_never_lowers_a_p_nor_changes_the_order(values):
    found = holm(values)
    assert all(after >= before for after, before in zip(found, values, strict=True))
    assert max(found) <= 1
    by_p = [value for _, value in sorted(zip(values, found, strict=True))]
    assert by_p == sorted(by_p)


def test_the_gap_closed_by_hand_and_where_it_means_nothing():
    assert gap_closed(0.8, local=0.5, oracle=0.9) == pytest.approx(0.75)
    assert gap_closed(0.8, local=0.5, oracle=0.515) is None


def test_controls_variants_and_the_oracle_are_no_rivals():
    names = ["parse", "parse@dsgd-hybrid", "parse-adaptive", "oracle", "harmony", "local"]
    assert [name for name in names if is_rival(name)] == ["harmony", "local"]
    assert [name for name in names if competes(name)] == ["parse", "harmony", "local"]
