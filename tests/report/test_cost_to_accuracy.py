"""Rounds and bytes to reach an accuracy, on curves written by hand."""

from __future__ import annotations

import json

import pytest

from parse_dfl.report.cost_to_accuracy import curve_of, reached
from parse_dfl.report.reading import read_comparison, read_run
from tests.report.conftest import write_comparison

CURVE = {10: (0.30, 0.20, 0.40), 20: (0.52, 0.41, 0.60), 30: (0.70, 0.60, 0.80)}


@pytest.fixture
def by_hand(tmp_path):
    """Two seeds of one method; the second is a round of evaluation later."""
    folder = write_comparison(tmp_path / "c", methods=("parse", "harmony"), seeds=2)
    for seed, shift in ((0, 0), (1, 10)):
        rewrite(folder / "parse" / f"seed-{seed}", seed, shift)
    return folder


def rewrite(folder, seed, shift):
    groups = ("acc", "gyro", "acc+gyro")
    lines = [
        {"round": number + shift, "group": group, "seed": seed, "accuracy": value}
        for number, values in CURVE.items()
        for group, value in zip(groups, values, strict=True)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_the_mean_curve_weighs_groups_by_their_agents(by_hand):
    run = read_run(by_hand / "parse" / "seed-0")
    assert curve_of(run, "mean") == pytest.approx({10: 0.3, 20: 0.51, 30: 0.7})
    assert curve_of(run, "gyro") == {10: 0.2, 20: 0.41, 30: 0.6}


def test_rounds_and_bytes_are_the_mean_over_seeds(by_hand):
    found = {
        (one.scope, one.accuracy): one
        for one in reached(read_comparison(by_hand), [0.5, 0.6, 0.75])
        if one.method == "parse"
    }
    half = found["mean", 0.5]
    assert half.rounds.mean == 25
    assert half.bytes_per_link == 25 * 61_000
    assert half.bytes_in_all == 25 * 30 * 61_000
    assert found["gyro", 0.5].rounds.mean == 35
    assert found["acc+gyro", 0.75].rounds.mean == 35


def test_a_seed_that_never_arrives_leaves_the_rounds_out(by_hand):
    folder = by_hand / "parse" / "seed-1"
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    (folder / "metrics.jsonl").write_text("\n".join(lines[:3]) + "\n")
    found = [o for o in reached(read_comparison(by_hand), [0.5]) if o.scope == "mean"]
    one = next(o for o in found if o.method == "parse")
    assert (one.seeds_reached, one.seeds, one.rounds, one.bytes_per_link) == (1, 2, None, None)


def test_a_level_that_nobody_reaches_is_left_out(by_hand):
    assert reached(read_comparison(by_hand), [0.99]) == []
