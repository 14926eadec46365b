"""Runs and comparisons from their folders, as values."""

from __future__ import annotations

import json

import numpy as np
import pytest

from parse_dfl.errors import RecordError
from parse_dfl.report.load import (
    ordered_groups,
    read_comparison,
    read_run,
    read_slices,
    runs_of,
)
from parse_dfl.runs.reporting import ROLES
from tests.report.conftest import GROUPS, METHODS, read, write_comparison


def test_a_run_is_its_summary_and_its_history(run_folder):
    run = read_run(run_folder)
    assert run.name == "parse"
    assert run.runs == {"parse": (run,)}
    assert tuple(run.summary.groups) == GROUPS
    assert len(run.history) == 10 * len(GROUPS)
    assert run.history[0].loss is None


def test_an_unfinished_run_bears_its_folders_name_and_loses_the_line_that_was_cut(
    unfinished_folder,
):
    run = read_run(unfinished_folder)
    assert (run.name, run.summary) == ("stopped", None)
    assert run.history[-1].round == 100


def test_a_folder_without_metrics_has_no_history(run_folder):
    (run_folder / "metrics.jsonl").unlink()
    assert read_run(run_folder).history == ()


def test_the_curve_of_all_agents_weighs_groups_by_their_agents(run_folder):
    path = run_folder / "summary.json"
    content = json.loads(path.read_text())
    for group, agents in zip(GROUPS, (1, 1, 8), strict=True):
        content["groups"][group]["agents"] = agents
    path.write_text(json.dumps(content))
    run = read_run(run_folder)
    last = {line.group: line.accuracy for line in run.history}
    expected = 0.1 * last["acc"] + 0.1 * last["gyro"] + 0.8 * last["acc+gyro"]
    assert run.curve("mean")[100] == pytest.approx(expected)
    assert run.curve("acc")[100] == last["acc"]


@pytest.fixture
def folder(tmp_path):
    return write_comparison(tmp_path / "c", methods=("harmony", "parse"), seeds=2)


def test_a_comparison_is_its_methods_and_their_runs(folder):
    comparison = read_comparison(folder)
    assert (comparison.name, comparison.data) == ("c", "motionsense")
    assert list(comparison.methods) == ["harmony", "parse"]
    assert comparison.methods["parse"].seeds == (0, 1)
    assert comparison.methods["parse"].payload_bytes_per_link == METHODS["parse"][1]
    assert [len(runs) for runs in comparison.runs.values()] == [2, 2]
    assert comparison.groups == GROUPS
    assert comparison.diverged == ()
    assert comparison.converged == comparison


def test_a_comparison_is_read_from_a_file_of_any_name_without_its_runs(folder, tmp_path):
    path = tmp_path / "digits-iid.json"
    path.write_text((folder / "comparison.json").read_text())
    comparison = read_comparison(path)
    assert (comparison.name, comparison.runs) == ("digits-iid", {})


def test_the_runs_of_the_method_in_question_come_first(folder):
    assert next(run.name for run in runs_of(read_comparison(folder))) == "harmony"
    assert [run.name for run in runs_of(read_comparison(folder, ROLES))][:2] == ["parse"] * 2


def test_a_method_that_has_other_seeds_names_them(folder):
    path = folder / "comparison.json"
    content = json.loads(path.read_text())
    content["methods"]["harmony"]["seeds"] = [4, 5]
    path.write_text(json.dumps(content))
    comparison = read_comparison(folder)
    assert comparison.methods["harmony"].seeds == (4, 5)
    assert any("parse lacks seed 4, 5" in problem for problem in comparison.problems)


def test_divergence_is_told_by_seed(folder):
    path = folder / "comparison.json"
    content = json.loads(path.read_text())
    content["methods"]["harmony"]["diverged"] = {"1": {"round": 20, "agents": ["acc-0"]}}
    path.write_text(json.dumps(content))
    comparison = read_comparison(folder)
    assert comparison.diverged == ("harmony",)
    assert comparison.methods["harmony"].diverged[1].round == 20
    assert list(comparison.converged.methods) == list(comparison.converged.runs) == ["parse"]


def test_a_comparison_of_nothing_is_refused(folder):
    path = folder / "comparison.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"methods": {}}))
    with pytest.raises(RecordError, match="compares no methods; run it again"):
        read_comparison(folder)


def test_groups_are_ordered_by_their_size_and_name():
    assert ordered_groups(["b", "a+b", "a", "b"]) == ("a", "b", "a+b")


def test_a_run_without_slices_has_none(unfinished_folder):
    assert read_slices(read(unfinished_folder)) is None


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("acc/odd.acc", (90, 4), r"is not GROUP/KIND\.OWNER with KIND one of redundant"),
        ("acc/unique.acc", (3, 4), r"has shape \(3, 4\), not \(90, width\)"),
        ("acc/unique.acc", (90, 0), r"has shape \(90, 0\)"),
    ],
)
def test_slices_that_do_not_fit_are_named(run_folder, name, shape, message):
    positions = {"label": np.zeros(90), "sample": np.arange(90), "reach": 0}
    np.savez(run_folder / "slices.npz", **positions, **{name: np.zeros(shape)})
    with pytest.raises(RecordError, match=message):
        read_slices(read(run_folder))


def test_slices_of_a_former_format_are_one_line(run_folder):
    np.savez(run_folder / "slices.npz", label=np.zeros(90))
    with pytest.raises(RecordError, match=r"slices\.npz \(it lacks reach, sample\); run it again"):
        read_slices(read(run_folder))
