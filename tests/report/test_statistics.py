"""The formulas against cases computed by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from parse_dfl.report.statistics import (
    gap_closed,
    holm,
    interval,
    mean_ranks,
    paired_difference,
    paired_p,
    seed_values,
)
from parse_dfl.runs.reporting import ROLES


def test_an_interval_by_hand():
    """Values 1, 2, 3: deviation 1, so half is t(0.975; 2) / √3 = 4.302653 / 1.732051."""
    estimate = interval([1.0, 2.0, 3.0])
    assert (estimate.mean, estimate.count) == (2.0, 3)
    assert estimate.half == pytest.approx(2.484138, abs=1e-6)


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
    adjusted = holm(values)
    assert all(after >= before for after, before in zip(adjusted, values, strict=True))
    assert max(adjusted) <= 1
    by_p = [value for _, value in sorted(zip(values, adjusted, strict=True))]
    assert by_p == sorted(by_p)


def test_the_gap_closed_by_hand_and_where_it_means_nothing():
    assert gap_closed(0.8, lower=0.5, upper=0.9) == pytest.approx(0.75)
    assert gap_closed(0.8, lower=0.5, upper=0.515) is None


def test_controls_variants_and_the_oracle_are_no_rivals():
    names = ["parse", "parse@dsgd-hybrid", "parse-adaptive", "oracle", "harmony", "local"]
    assert [name for name in names if ROLES.is_rival(name)] == ["harmony", "local"]
    assert [name for name in names if ROLES.competes(name)] == ["parse", "harmony", "local"]


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=12))
def test_intervals_and_p_values_are_scipys(values):
    other = [0.3 * value**2 for value in values]
    differences = [a - b for a, b in zip(values, other, strict=True)]
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    assert interval(values).half == pytest.approx(half, abs=1e-12)
    spread = max(differences) - min(differences)
    if spread > 1e-6:
        expected = stats.ttest_1samp(differences, 0.0).pvalue
        assert paired_p(values, other) == pytest.approx(expected, abs=1e-9)


def test_equals_share_a_rank():
    cells = [{"a": 0.9, "b": 0.8, "c": 0.8}, {"a": 0.1, "b": 0.3, "c": 0.2}]
    assert mean_ranks(cells, ["a", "b", "c"]) == {"a": 2.0, "b": 1.75, "c": 2.25}
    assert mean_ranks([], ["a"]) == {}


def test_the_values_of_seeds_are_recorded_with_their_interval():
    record = seed_values([1.0, 2.0, 3.0])
    assert (record.mean, record.values) == (2.0, (1.0, 2.0, 3.0))
    assert record.ci95 == interval([1.0, 2.0, 3.0]).half
