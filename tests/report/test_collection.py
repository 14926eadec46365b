"""Folders as they come: damaged, mixed, empty, or files alone."""

from __future__ import annotations

import json
import shutil

import pytest

from parse_dfl.errors import RecordError
from parse_dfl.io import to_plain
from parse_dfl.report.page import tables_of
from parse_dfl.report.statistics_file import write_statistics
from parse_dfl.runs.reporting import write_report
from tests.report.conftest import read, write_comparison, write_run


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
        read(tmp_path)


def test_a_damaged_comparison_is_named_and_the_others_are_reported(two):
    (two / "digits" / "comparison.json").write_text('{"methods": {"parse"')
    record = read(two)
    assert [one.name for one in record.comparisons] == ["leaves"]
    assert "digits/comparison.json is no valid JSON" in record.problems[0]
    with pytest.warns(UserWarning, match="left out of the report: .*digits"):
        page = write_report(two)
    assert "digits/comparison.json is no valid JSON" in page.read_text()


def test_nothing_that_can_be_read_is_an_error(two):
    for name in ("digits", "leaves"):
        (two / name / "comparison.json").write_text("{}")
    with pytest.raises(RecordError, match=r"none of the comparisons in .* can be read: .*lacks"):
        read(two)


def test_a_damaged_run_leaves_the_rest_of_its_comparison(two):
    (two / "digits" / "parse" / "seed-0" / "summary.json").write_text("nothing")
    record = read(two / "digits")
    assert set(record.runs) == {"harmony"}
    assert "seed-0/summary.json is no valid JSON" in record.problems[0]


def test_mixed_versions_are_told(two):
    edit(two / "digits", version="0.1.0")
    edit(two / "leaves", version="0.2.0", config={"agents": "acc=2", "warmth": 3})
    problems = read(two).problems
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
    record = read(kept)
    assert [one.name for one in record.comparisons] == ["digits-iid", "leaves-iid"]
    assert not record.comparisons[0].runs
    assert "notes.json holds list, not a JSON object" in record.problems[0]


def table(record, title):
    found = next(table for table in tables_of(record)[0] if title in table.title)
    rows = {row[0].text: [cell.text for cell in row[1:]] for row in found.rows}
    return found.header[1:], rows, " ".join(found.notes)


def test_single_runs_stand_beside_comparisons_in_cells_of_their_own(two):
    """A rival that leads in a cell of its own is on the page, without a rank, and said so."""
    write_run(two / "alone", method="dsgd-task", data="digits")
    write_run(two / "pair-a", method="parse", data="mfeat")
    write_run(two / "pair-b", method="harmony", data="mfeat")
    record = read(two)
    assert record.problems == ()
    names, rows, notes = table(record, "Mean accuracy")
    assert set(names) == {"parse", "harmony", "dsgd-task"}
    assert list(rows) == [
        "digits", "leaves", "alone (single runs)", "mfeat (single runs)", "mean rank, 3 of 4 cells",
    ]  # fmt: skip
    alone = dict(zip(names, rows["alone (single runs)"], strict=True))
    assert (alone["parse"], alone["harmony"]) == ("–", "–")
    assert "Not ranked over, for want of a method: alone (single runs)." in notes
    assert "dsgd-task has no rank: it is in 1 of 4 cells, with the highest mean in 1." in notes
    assert "dsgd-task has no rank" in write_report(two).read_text().partition("<table")[0]


def test_a_rival_that_not_every_cell_has_is_ranked_where_all_are(two):
    write_comparison(
        two / "mfeat", methods=("parse", "harmony", "dsgd-hybrid"), seeds=2, data="mfeat"
    )
    names, rows, notes = table(read(two), "Mean accuracy")
    assert "–" not in dict(zip(names, rows["mean rank, 1 of 3 cells"], strict=True)).values()
    assert dict(zip(names, rows["mean rank, 3 cells"], strict=True))["dsgd-hybrid"] == "–"
    assert "among dsgd-hybrid, harmony and parse, over 1 of 3 cells" in notes
    assert "for want of a method: digits and leaves" in notes


def test_runs_of_different_methods_that_share_no_seed_have_no_difference(tmp_path):
    write_run(tmp_path / "one", method="parse", seed=0)
    write_run(tmp_path / "other", method="harmony", seed=1)
    record = read(tmp_path)
    found = to_plain(write_statistics(record))
    told = "motionsense: parse and its best rival harmony share no seed"
    assert found["unpaired"] == [told]
    assert found["cells"][0]["against_best_rival"] is None
    assert found["summary"]["mean"]["mean_difference"] is None
    assert "NaN" not in (tmp_path / "statistics.json").read_text()
    assert (
        "No cell holds parse and a rival that share a seed." in write_report(tmp_path).read_text()
    )


def test_an_unfinished_run_is_shown_and_takes_no_part(two):
    (write_run(two / "half", method="harmony", data="digits") / "summary.json").unlink()
    record = read(two)
    assert len(record.comparisons) == 2
    assert "half is unfinished and takes no part" in record.problems[0]
    _, rows, _ = table(record, "Unfinished runs")
    assert rows["half"][0] == "100"


def test_a_copied_run_is_no_second_seed(tmp_path):
    for name in ("copy", "run"):
        write_run(tmp_path / name, method="parse")
    record = read(tmp_path)
    assert record.comparisons[0].methods["parse"].seeds == (0,)
    assert "run repeats" in record.problems[0]


def test_what_lies_in_a_comparison_without_being_part_of_it_is_named(two):
    write_run(two / "digits" / "local" / "seed-0", method="local", data="digits")
    write_run(two / "digits" / "extra", method="local", data="digits")
    problems = " ".join(read(two / "digits").problems)
    assert "local holds runs of a method that comparison.json lacks" in problems
    assert "extra lies in a comparison's folder without being part of it" in problems


def test_methods_that_lack_seeds_or_groups_are_named(two):
    path = two / "digits" / "comparison.json"
    content = json.loads(path.read_text())
    content["seeds"] = [0]
    harmony = content["methods"]["harmony"]
    harmony["seeds"] = [1]
    del harmony["groups"]["acc"]
    path.write_text(json.dumps(content))
    problems = " ".join(read(two / "digits").problems)
    assert "harmony lacks seed 0" in problems
    assert "parse lacks seed 1" in problems
    assert "harmony has no accuracy of acc" in problems


def test_records_further_down_and_folders_of_figures_are_told_apart(two):
    write_run(two / "older" / "run", method="local")
    write_run(two / "begun" / "parse" / "seed-0", method="parse")
    (two / "figures").mkdir()
    problems = read(two).problems
    assert len(problems) == 2
    assert "begun is a comparison of which no method is finished" in problems[0]
    assert "older holds records further down" in problems[1]


def test_only_unfinished_runs_are_no_report(tmp_path):
    (write_run(tmp_path / "half") / "summary.json").unlink()
    with pytest.raises(RecordError, match=r"none of the runs in .* is finished"):
        read(tmp_path)


def test_a_report_is_not_read_by_the_next_one(two):
    write_report(two)
    assert read(two).problems == ()


def test_two_comparisons_of_one_name_are_two_cells(two):
    shutil.copy(two / "digits" / "comparison.json", two / "digits.json")
    assert set(table(read(two), "Mean accuracy")[1]) >= {"digits", "digits #2", "leaves"}


def test_a_single_run_that_repeats_one_of_a_comparison_is_counted_once(two):
    write_run(two / "again", method="parse", data="digits")
    record = read(two)
    assert len(record.comparisons) == 2
    assert "again repeats" in record.problems[0]
    assert "digits/parse/seed-0: same method, seed and settings" in record.problems[0]
