"""Which comparisons of a folder differ in one setting alone, and how that is drawn."""

from __future__ import annotations

import json
from math import sqrt

import pytest

from parse_dfl.report.ablation_axes import ablation_axes
from parse_dfl.report.figures.ablations import ablations, split_map, split_point
from tests.report.conftest import read, write_comparison, write_run

SPLITS = ([1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1], [2, 1, 1])


def put(path, **settings):
    record = json.loads(path.read_text())
    for place, value in settings.items():
        section, _, name = place.rpartition("__")
        table = record["config"].setdefault(section, {}) if section else record["config"]
        table[name] = value
    path.write_text(json.dumps(record))


@pytest.fixture
def folder(tmp_path):
    """Fusion and epochs vary one at a time; the split takes five values."""
    settings = [
        {"network__fusion": "concat", "training__local_epochs": 1},
        {"network__fusion": "sum", "training__local_epochs": 1},
        {"network__fusion": "concat", "training__local_epochs": 40},
    ]
    for number, own in enumerate(settings):
        path = write_comparison(tmp_path / f"c{number}", methods=("parse",), seeds=2)
        put(path / "comparison.json", **own, network__split=[1, 1, 1])
    return tmp_path


def test_a_setting_varies_where_all_others_are_equal(folder):
    found = {one.name: one for one in ablation_axes(read(folder))}
    assert set(found) == {"fusion", "local epochs"}
    assert [value for value, _ in found["local epochs"].points] == [1, 40]
    assert found["local epochs"].is_numeric
    assert found["local epochs"].fixed == "concat"
    assert not found["fusion"].is_numeric
    assert found["fusion"].fixed == "local epochs 1"


def test_the_number_of_agents_is_a_number(tmp_path):
    for count in (2, 10):
        path = write_comparison(tmp_path / f"c{count}", methods=("parse",), seeds=1)
        put(path / "comparison.json", agents=f"acc={count},acc+gyro={2 * count}")
    (found,) = ablation_axes(read(tmp_path))
    assert [value for value, _ in found.points] == [6, 30]


def test_data_sets_are_cells_and_no_ablation(collection_folder):
    assert ablation_axes(read(collection_folder)) == []


def test_the_panels_name_the_best_value(folder):
    caption = ablations(read(folder)).caption
    assert "fusion" in caption
    assert "local epochs" in caption


def test_splits_stand_at_the_weighted_mean_of_the_corners():
    assert split_point([1, 0, 0]) == (0, 0)
    assert split_point([0, 2, 0]) == (1, 0)
    assert split_point([0, 0, 3]) == pytest.approx((0.5, sqrt(3) / 2))
    assert split_point([1, 1, 1]) == pytest.approx((0.5, sqrt(3) / 6))


def test_a_folder_of_runs_with_other_splits_gives_the_map(tmp_path):
    for number, split in enumerate(SPLITS):
        for seed in (0, 1):
            run = write_run(tmp_path / f"run-{number}-{seed}", seed=seed)
            put(run / "summary.json", network__split=split)
    record = read(tmp_path)
    assert len(record.comparisons) == len(SPLITS)
    assert record.comparisons[0].methods["parse"].seeds == (0, 1)
    assert "is best with" in split_map(record).caption
    assert ablations(record) is None


def test_three_splits_are_no_map(folder):
    assert split_map(read(folder)) is None


def test_runs_that_are_unfinished_take_no_part(tmp_path):
    write_run(tmp_path / "a", seed=0)
    (write_run(tmp_path / "b", seed=1) / "summary.json").write_text("{")
    record = read(tmp_path)
    assert [one.name for one in record.comparisons] == ["a"]
    assert "b/summary.json is no valid JSON" in record.problems[0]
