"""Wins, ties and losses over cells, from values that can be followed by hand."""

from __future__ import annotations

import pytest

from parse_dfl.report.cells import Cell
from parse_dfl.report.load import MEAN
from parse_dfl.report.pairwise import pairwise_with_all, pairwise_with_best, tally
from parse_dfl.runs.reporting import ROLES


def cell(scope=MEAN, name="cell", **values):
    values = {key.replace("_", "-"): tuple(own) for key, own in values.items()}
    return Cell(comparison=name, scope=scope, values=values, roles=ROLES)


AHEAD = cell(name="one", parse=(0.81, 0.83, 0.82), harmony=(0.70, 0.72, 0.71), local=(0.5,) * 3)
EVEN = cell(name="two", parse=(0.6, 0.7, 0.8), harmony=(0.8, 0.7, 0.6), local=(0.71, 0.70, 0.69))
BEHIND = cell(name="three", parse=(0.50, 0.52, 0.51), harmony=(0.60, 0.62, 0.611), local=(0.1,) * 3)


def test_the_best_rival_is_the_one_of_the_highest_mean_in_its_own_cell():
    control = dict(AHEAD.values) | {"parse@task": (0.99,) * 3, "oracle": (1.0,) * 3}
    ahead = Cell(comparison="one", scope=MEAN, values=control, roles=ROLES)
    tests = pairwise_with_best([ahead, EVEN])
    assert [test.rival for test in tests] == ["harmony", "harmony"]
    assert tests[0].difference.mean == pytest.approx(0.11)


def test_outcomes_follow_the_corrected_p():
    tests = pairwise_with_best([AHEAD, EVEN, BEHIND])
    assert [test.outcome for test in tests] == ["win", "tie", "loss"]
    assert tally(tests) == {"win": 1, "tie": 1, "loss": 1, "untested": 0}
    p = [test.p for test in tests]
    assert tests[2].p_holm == pytest.approx(2 * p[2])
    assert tests[1].p_holm == pytest.approx(p[1])


def test_each_kind_of_scope_is_a_family_of_its_own():
    alone = pairwise_with_best([BEHIND])[0]
    others = [cell("acc+gyro", "three", **dict(BEHIND.values)) for _ in range(5)]
    beside = pairwise_with_best([BEHIND, *others])
    assert beside[0].p_holm == alone.p_holm
    assert beside[1].p_holm == pytest.approx(5 * alone.p_holm)


def test_a_chance_win_is_a_tie_after_correction():
    close = cell(parse=(0.5, 0.52, 0.54), harmony=(0.49, 0.505, 0.52))
    tests = pairwise_with_best([close] * 5)
    assert tally(tests)["tie"] == 5
    assert tally(tests, corrected=False)["win"] == 5


def test_one_seed_tests_nothing():
    tests = pairwise_with_best([cell(parse=(0.9,), harmony=(0.1,))])
    assert (tests[0].outcome, tests[0].p_holm) == ("untested", None)


def test_every_rival_is_tested_where_the_best_hides_a_sure_one():
    """Harmony's mean is higher but unsure; local is ahead for certain."""
    hidden = cell(parse=(0.5, 0.6, 0.7), harmony=(0.9, 0.5, 0.61), local=(0.51, 0.611, 0.71))
    assert pairwise_with_best([hidden])[0].outcome == "tie"
    assert {test.rival: test.outcome for test in pairwise_with_all([hidden])} == {
        "harmony": "tie",
        "local": "loss",
    }


def test_cells_without_parse_or_rivals_have_no_test():
    assert pairwise_with_best([cell(harmony=(1.0, 1.0)), cell(parse=(1.0,), oracle=(1.0,))]) == []


def test_methods_with_other_seeds_are_paired_by_seed():
    """Harmony lacks seed 0: only seeds 1 and 2 count, each against itself."""
    some = Cell(
        comparison="one",
        scope=MEAN,
        values={"parse": (0.9, 0.5, 0.6), "harmony": (0.4, 0.3)},
        seeds={"parse": (0, 1, 2), "harmony": (2, 1)},
        roles=ROLES,
    )
    difference = pairwise_with_best([some])[0].difference
    assert (difference.count, difference.mean) == (2, pytest.approx(0.2))
