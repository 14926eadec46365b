"""The tables of pairwise tests and of what an accuracy costs."""

from __future__ import annotations

from parse_dfl.report.load import read_comparison
from parse_dfl.report.tables.statistics import (
    cost_table,
    gaps_table,
    group_pairwise_table,
    pairwise_table,
    summary_table,
)
from tests.report.conftest import read


def texts(table):
    return [[entry.text for entry in row] for row in table.rows]


def test_every_cell_has_a_row_against_its_best_rival(collection_folder):
    table = pairwise_table(read(collection_folder))
    assert table.title == "parse against its best rival, all agents"
    assert [row[0] for row in texts(table)] == ["digits", "leaves100", "mfeat"]
    assert {row[3] for row in texts(table)} == {"harmony"}
    assert all(entry.best == (entry.text == "win") for *_, entry in table.rows)


def test_modality_sets_have_rows_of_their_own(collection_folder, shared_comparison):
    many = group_pairwise_table(read(collection_folder))
    assert many.folded
    assert len(many.rows) == 9
    few = group_pairwise_table(read(shared_comparison))
    assert not few.folded
    assert [row[1] for row in texts(few)] == ["acc", "gyro", "acc+gyro"]


def test_without_a_method_in_question_there_are_no_tests(shared_comparison):
    assert pairwise_table(read_comparison(shared_comparison)) is None


def test_kinds_of_agents_are_summed_up(collection_folder):
    rows = texts(summary_table(read(collection_folder)))
    assert [row[0] for row in rows] == ["all agents", "unimodal agents", "multimodal agents"]
    assert [row[1] for row in rows] == ["3 of 3", "6 of 6", "3 of 3"]
    assert rows[0][-1] == "1.00 of 3 (2 of 3 cells)"
    for row in rows:
        counts = [int(text.partition(" ")[0]) for text in row[2:5]]
        assert sum(counts) == int(row[1].partition(" ")[0])


def test_gaps_are_means_over_the_cells_that_have_both_bounds(collection_folder):
    rows = {row[0]: row[1:] for row in texts(gaps_table(read(collection_folder)))}
    assert rows["oracle"] == ["1.00 (2)", "1.00 (4)", "1.00 (2)"]
    assert rows["local"] == ["0.00 (2)", "0.00 (4)", "0.00 (2)"]
    assert next(iter(rows)) == "oracle"


def test_costs_are_told_for_accuracies_that_tell_methods_apart(shared_comparison):
    comparison = read(shared_comparison)
    table = cost_table(comparison, [0.01, 0.6, 0.99])
    assert table.header == ("method", "60 %")  # all have 1 % at once, and nobody 99 %
    rows = {row[0]: row[1] for row in texts(table)}
    assert rows["local"] == "–"
    rounds, size = rows["parse"].split(" · ")
    assert int(rounds) > 0
    assert size.endswith("MB")


def test_without_runs_no_cost_is_known(shared_comparison, tmp_path):
    path = tmp_path / "copy.json"
    path.write_text((shared_comparison / "comparison.json").read_text())
    assert cost_table(read_comparison(path)) is None
