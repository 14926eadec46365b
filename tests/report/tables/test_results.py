"""The tables of runs and comparisons, from records that are written by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from parse_dfl.records import Divergence
from parse_dfl.report.formatting import MISSING
from parse_dfl.report.load import read_comparison
from parse_dfl.report.tables.results import (
    agents_table,
    collection_table,
    comparison_table,
    methods_of,
    run_table,
    status_table,
    unfinished_table,
)
from tests.report.conftest import read, write_comparison, write_run


def rows_of(table):
    return {row[0].text: [entry.text for entry in row[1:]] for row in table.rows}


def test_a_run_has_a_row_a_modality_set_and_their_mean(run_folder):
    table = run_table(read(run_folder).summary)
    rows = rows_of(table)
    assert list(rows) == ["acc", "gyro", "acc+gyro", "all agents"]
    assert rows["acc+gyro"][:2] == ["5", "30,000"]
    assert rows["all agents"][0] == "15"
    assert table.title == "parse on motionsense, seed 0, in percent"
    assert table.notes[0] == (
        "100 rounds in 12.5 s (per round: train 0.08 s, mix 0.01 s, evaluate 0.03 s)."
    )
    assert table.notes[1] == "Payload 61.0 kB per link, 1.8 MB per round; peak memory 412.0 MB."


def test_a_run_that_diverged_says_so_first(run_folder):
    lost = Divergence(round=20, agents=("acc-0", "acc-1"))
    table = run_table(replace(read(run_folder).summary, diverged=lost))
    assert table.title.endswith("(diverged)")
    assert table.notes[0] == "Diverged: 2 agents have diverged since round 20 (acc-0, acc-1)."


def test_every_agent_has_a_row_that_is_folded(run_folder):
    table = agents_table(read(run_folder))
    assert table.folded
    assert len(table.rows) == 15
    assert rows_of(table)["acc-0"][:2] == ["acc", "64"]


def test_an_unfinished_run_says_how_far_it_came(unfinished_folder):
    table = status_table(read(unfinished_folder))
    assert table.title == "stopped: unfinished"
    assert rows_of(table)["gyro"][0] == "100"
    assert agents_table(read(unfinished_folder)) is None


def test_a_comparison_is_ordered_by_its_mean_and_marks_the_best(shared_comparison):
    comparison = read(shared_comparison)
    table = comparison_table(comparison)
    assert table.header == (
        "method", "acc", "gyro", "acc+gyro", "mean", "gap closed", "bytes/link", "time"
    )  # fmt: skip
    assert [row[0].text for row in table.rows][:2] == ["parse", "harmony"]
    assert table.rows[-1][0].text == "oracle"  # it does not compete
    assert [row[4].best for row in table.rows] == [True] + [False] * 9
    rows = rows_of(table)
    assert (rows["local"][4], rows["oracle"][4]) == ("0.00", "1.00")
    assert "Gap closed: 0 is local, 1 is oracle." in table.notes
    assert any(note.startswith("parse against harmony") for note in table.notes)


def test_without_roles_nothing_is_held_against_anything(shared_comparison):
    table = comparison_table(read_comparison(shared_comparison))
    assert "gap closed" not in table.header
    assert not any("against" in note for note in table.notes)
    assert table.rows[0][0].text == "oracle"  # nobody said that it does not compete


def test_a_method_that_diverged_has_no_numbers(shared_comparison):
    comparison = read(shared_comparison)
    lost = replace(
        comparison.methods["parse"], diverged={0: Divergence(round=10, agents=("acc-0",))}
    )
    comparison = replace(comparison, methods={**comparison.methods, "parse": lost})
    table = comparison_table(comparison)
    assert rows_of(table)["parse"][:5] == ["diverged"] * 4 + [MISSING]
    assert "parse diverged, so nothing can be said of it." in table.notes


def test_bounds_that_are_close_close_no_gap(tmp_path):
    folder = write_comparison(tmp_path / "c", methods=("parse", "local", "oracle"), seeds=2)
    path = folder / "comparison.json"
    content = json.loads(path.read_text())
    content["methods"]["oracle"] = content["methods"]["local"]
    path.write_text(json.dumps(content))
    table = comparison_table(read(folder))
    assert "gap closed" not in table.header
    assert "No gap closed: oracle is less than 2 points above local." in table.notes


def test_one_seed_has_no_intervals_and_unfinished_runs_are_named(tmp_path):
    folder = write_comparison(tmp_path / "c", methods=("parse", "harmony"), seeds=1)
    (folder / "harmony" / "seed-0" / "summary.json").unlink()
    notes = comparison_table(read(folder)).notes
    assert notes[0] == "One seed: no intervals."
    assert "Unfinished: harmony/seed-0." in notes


@pytest.fixture
def collection(collection_folder):
    return read(collection_folder)


def test_a_folder_has_a_row_a_comparison_and_its_mean_ranks(collection):
    table = collection_table(collection)
    assert table.header == ("", "parse", "harmony", "local", "oracle")
    rows = rows_of(table)
    assert list(rows) == [
        "digits", "leaves100", "mfeat", "mean rank, 2 of 3 cells", "mean rank, 3 cells"
    ]  # fmt: skip
    assert rows["mfeat"][2:] == [MISSING, MISSING]
    assert rows["mean rank, 3 cells"] == ["1.00", "2.00", MISSING, MISSING]
    assert table.notes[-1] == "Not ranked: oracle and the controls and variants of parse."


def test_methods_stand_in_the_order_of_their_ranks_the_bound_last(collection):
    assert methods_of(collection) == ["parse", "harmony", "local", "oracle"]


def test_unfinished_runs_of_a_folder_are_listed(collection_folder):
    assert unfinished_table(read(collection_folder)) is None
    (write_run(collection_folder / "half", method="local") / "summary.json").unlink()
    table = unfinished_table(read(collection_folder))
    assert rows_of(table)["half"][0] == "100"
