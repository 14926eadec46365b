"""statistics.json of comparisons and folders of them."""

from __future__ import annotations

import json

import pytest

from parse_dfl.report.load import read_record
from parse_dfl.report.statistics_file import statistics_of, write_statistics


def test_a_comparison_says_per_scope_what_its_table_says(shared_comparison):
    record = read_record(shared_comparison)
    found = statistics_of(record)
    assert [cell["scope"] for cell in found["cells"]] == ["mean", "acc", "gyro", "acc+gyro"]
    mean = found["cells"][0]
    assert mean["methods"]["local"]["gap_closed"] == 0
    assert mean["methods"]["oracle"]["gap_closed"] == 1
    assert mean["methods"]["parse"]["values"] == list(record.methods["parse"].mean_accuracy)
    assert mean["against_best_rival"]["rival"] == "harmony"
    assert found["summary"]["unimodal"]["cells"] == 2
    assert found["reached"]
    assert all(one["rounds"] is None or one["rounds"]["mean"] > 0 for one in found["reached"])


def test_a_folder_sums_its_comparisons_up(collection_folder):
    found = write_statistics(read_record(collection_folder))
    assert json.loads((collection_folder / "statistics.json").read_text()) == found
    summary = found["summary"]["mean"]
    assert summary["cells"] == sum(summary["against_best_rival"].values()) == 3
    assert summary["gap_closed"]["parse"]["cells"] == 2
    assert summary["mean_rank"] == pytest.approx({"harmony": 2.0, "local": 3.0, "parse": 1.0})
    complete, common = summary["rankings"]
    assert (len(complete["cells"]), complete["left_out"]) == (2, ["mfeat"])
    assert (len(common["cells"]), set(common["ranks"])) == (3, {"harmony", "parse"})
    assert common["unranked"] == {"local": {"cells": 2, "leads": 0}}
