"""Conflicts from files to table and picture."""

from __future__ import annotations

import pytest

from parse_dfl.errors import RecordError
from parse_dfl.report.figures.measurements import conflict
from parse_dfl.report.tables.measurements import (
    branch_conflict_table,
    conflict_series,
    conflict_table,
    conflicts_of,
    over_rounds,
    read_conflicts,
)
from tests.report.conftest import read, write_comparison, write_conflicts


@pytest.fixture
def recorded(tmp_path):
    """Two seeds; the second conflicts in all its pairs, the first in none."""
    folder = write_comparison(tmp_path / "c", methods=("parse", "dsgd-task"), seeds=2)
    write_conflicts(folder / "parse" / "seed-0", share=0.0, cosine=0.5)
    write_conflicts(folder / "parse" / "seed-1", share=1.0, cosine=-0.1)
    write_conflicts(folder / "dsgd-task" / "seed-0", pairs=("equal",))
    return read(folder)


def test_the_series_is_the_mean_over_seeds(recorded):
    lines = conflicts_of(recorded)["parse"]
    series = conflict_series(lines, samples="own", pairs="uni-multi")
    assert series == {10: (0.5, pytest.approx(0.2)), 20: (0.5, pytest.approx(0.2))}
    assert over_rounds(series) == (0.5, pytest.approx(0.2))
    assert over_rounds({}) is None


def test_the_table_shows_what_is_not_shared_as_missing(recorded):
    rows = {row[0].text: [cell.text for cell in row[1:]] for row in conflict_table(recorded).rows}
    assert rows["parse"] == ["50 % · +0.20"] * 4
    assert rows["dsgd-task"][:2] == ["–", "–"]
    branches = branch_conflict_table(recorded)
    assert branches.folded
    assert branches.rows[0][0].text == "parse · acc/backbone"


def test_the_picture_says_the_shares(recorded):
    picture = conflict(recorded)
    assert "On their own samples conflict 50 % (parse)" in picture.caption
    assert conflict(recorded).name == "gradient-conflict"


def test_without_records_there_is_nothing(run_folder):
    record = read(run_folder)
    assert conflict(record) is None
    assert conflict_table(record) is None
    assert branch_conflict_table(record) is None


def test_a_damaged_line_is_named(recorded):
    run = recorded.runs["parse"][0]
    path = run.directory / "conflict.jsonl"
    path.write_text(path.read_text() + "{}\n")
    with pytest.raises(RecordError, match=r"conflict\.jsonl, line \d+ lacks \$\.round"):
        read_conflicts(run)
