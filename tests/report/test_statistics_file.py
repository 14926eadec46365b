"""statistics.json of comparisons and folders of them; rounds and bytes to an accuracy by hand."""

from __future__ import annotations

import json

import pytest

from parse_dfl.io import to_plain
from parse_dfl.report.load import read_comparison, read_run
from parse_dfl.report.statistics_file import reached, statistics_of, write_statistics
from tests.report.conftest import read, scores, write_comparison


def test_a_comparison_says_per_scope_what_its_table_says(shared_comparison):
    record = read(shared_comparison)
    content = to_plain(statistics_of(record))
    assert [cell["scope"] for cell in content["cells"]] == ["mean", "acc", "gyro", "acc+gyro"]
    mean = content["cells"][0]
    assert mean["methods"]["local"]["gap_closed"] == 0
    assert mean["methods"]["oracle"]["gap_closed"] == 1
    assert mean["methods"]["parse"]["values"] == list(record.methods["parse"].mean_accuracy)
    assert mean["against_best_rival"]["rival"] == "harmony"
    assert content["summary"]["unimodal"]["cells"] == 2
    assert content["reached"]
    assert all(one["rounds"] is None or one["rounds"]["mean"] > 0 for one in content["reached"])


def test_a_folder_sums_its_comparisons_up(collection_folder):
    content = to_plain(write_statistics(read(collection_folder)))
    assert json.loads((collection_folder / "statistics.json").read_text()) == content
    summary = content["summary"]["mean"]
    assert summary["cells"] == sum(summary["against_best_rival"].values()) == 3
    assert summary["gap_closed"]["parse"]["cells"] == 2
    assert summary["mean_rank"] == pytest.approx({"harmony": 2.0, "local": 3.0, "parse": 1.0})
    complete, common = summary["rankings"]
    assert (len(complete["cells"]), complete["left_out"]) == (2, ["mfeat"])
    assert (len(common["cells"]), set(common["ranks"])) == (3, {"harmony", "parse"})
    assert common["unranked"] == {"local": {"cells": 2, "leads": 0}}


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
        {"round": number + shift, "group": group, "seed": seed, **scores(value)}
        for number, values in CURVE.items()
        for group, value in zip(groups, values, strict=True)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_the_mean_curve_weighs_groups_by_their_agents(by_hand):
    run = read_run(by_hand / "parse" / "seed-0")
    assert run.curve("mean") == pytest.approx({10: 0.3, 20: 0.51, 30: 0.7})
    assert run.curve("gyro") == {10: 0.2, 20: 0.41, 30: 0.6}


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
    assert list(reached(read_comparison(by_hand), [0.99])) == []
