"""Folders as they come: damaged, mixed, empty, or files alone."""

from __future__ import annotations

import json
import shutil

import pytest

from parse_dfl.errors import RecordError
from parse_dfl.report.finding import read_record
from parse_dfl.report.page import write_report
from tests.report.conftest import write_comparison


@pytest.fixture
def two(tmp_path):
    for name in ("digits", "leaves"):
        write_comparison(tmp_path / name, methods=("parse", "harmony"), seeds=1, data=name)
    return tmp_path


def edit(folder, **values):
    path = folder / "comparison.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(RecordError, match="holds no record: a run leaves"):
        read_record(tmp_path)


def test_a_damaged_comparison_is_named_and_the_others_are_reported(two):
    (two / "digits" / "comparison.json").write_text('{"methods": {"parse"')
    record = read_record(two)
    assert [one.name for one in record.comparisons] == ["leaves"]
    assert "digits/comparison.json is no valid JSON" in record.problems[0]
    with pytest.warns(UserWarning, match="left out of the report: .*digits"):
        page = write_report(two)
    assert "digits/comparison.json is no valid JSON" in page.read_text()


def test_nothing_that_can_be_read_is_an_error(two):
    for name in ("digits", "leaves"):
        (two / name / "comparison.json").write_text("{}")
    with pytest.raises(RecordError, match=r"none of the comparisons in .* can be read: .*lacks"):
        read_record(two)


def test_a_damaged_run_leaves_the_rest_of_its_comparison(two):
    (two / "digits" / "parse" / "seed-0" / "summary.json").write_text("nothing")
    record = read_record(two / "digits")
    assert set(record.runs) == {"harmony"}
    assert "seed-0/summary.json is no valid JSON" in record.problems[0]


def test_mixed_versions_are_told(two):
    edit(two / "digits", version="0.1.0")
    edit(two / "leaves", version="0.2.0", config={"agents": "acc=2", "warmth": 3})
    problems = read_record(two).problems
    assert "comparisons of versions 0.1.0 and 0.2.0 stand in one table" in problems
    assert any(
        "only some of the comparisons have data.data, overlay.topology, warmth" in p
        for p in problems
    )


def test_comparisons_kept_as_files_are_read_without_their_runs(two, tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    for name in ("digits", "leaves"):
        shutil.copy(two / name / "comparison.json", kept / f"{name}-iid.json")
    (kept / "notes.json").write_text("[]")
    (kept / "machine.json").write_text('{"cores": 2}')
    record = read_record(kept)
    assert [one.name for one in record.comparisons] == ["digits-iid", "leaves-iid"]
    assert not record.comparisons[0].runs
    assert "notes.json holds list, not a JSON object" in record.problems[0]
