"""What the pictures of a comparison show, and what their captions say."""

from __future__ import annotations

from dataclasses import replace

from parse_dfl.records import Divergence
from parse_dfl.report.cells import converged_record
from parse_dfl.report.figures.comparison import (
    final_accuracy,
    learning_curves,
    mean_curves,
    payload,
)
from parse_dfl.report.load import read_comparison
from tests.report.conftest import METHODS, ROUNDS, read, write_comparison


def test_final_accuracy_has_a_panel_a_group_and_one_for_all(shared_comparison):
    picture = final_accuracy(read(shared_comparison))
    titles = [axes.get_title() for axes in picture.figure.axes if axes.get_visible()]
    assert titles == ["acc", "gyro", "acc+gyro", "all agents"]
    labels = [text.get_text() for text in picture.figure.axes[0].get_yticklabels()]
    assert labels[0] == "parse"
    assert labels[-1] == "oracle"
    assert "parse has the highest mean accuracy" in picture.caption
    assert "parse against harmony, paired over 3 seeds" in picture.caption


def test_learning_curves_name_the_leader_of_every_group(shared_comparison):
    picture = learning_curves(read(shared_comparison))
    assert "the band spans the lowest to the highest seed" in picture.caption
    assert "acc+gyro: parse with" in picture.caption
    lines = picture.figure.axes[0].get_lines()
    assert [line.get_label() for line in lines] == list(read(shared_comparison).runs)


def test_a_single_run_has_curves_without_a_band(run_folder):
    assert "(one seed, so no band)" in learning_curves(read(run_folder)).caption


def test_without_evaluations_there_are_no_curves(run_folder):
    (run_folder / "metrics.jsonl").unlink()
    assert learning_curves(read(run_folder)) is None


def test_mean_curves_are_over_the_rounds_that_all_seeds_have(tmp_path):
    folder = write_comparison(tmp_path / "c", methods=("parse",), seeds=2)
    path = folder / "parse" / "seed-1" / "metrics.jsonl"
    path.write_text("".join(line + "\n" for line in path.read_text().splitlines()[:-3]))
    assert list(mean_curves(read(folder))["parse"]) == list(ROUNDS)[:-1]


def test_payload_names_the_methods_that_none_beats(shared_comparison):
    comparison = read(shared_comparison)
    picture = payload(comparison)
    assert "at least as accurate as parse (" in picture.caption
    assert "and local (" in picture.caption  # it sends nothing
    assert "harmony" not in picture.caption
    assert "oracle (upper bound)" in picture.figure.axes[0].get_legend_handles_labels()[1]


def test_payload_of_a_file_without_runs_has_one_panel(shared_comparison, tmp_path):
    path = tmp_path / "copy.json"
    path.write_text((shared_comparison / "comparison.json").read_text())
    assert len(payload(read_comparison(path)).figure.axes) == 1


def test_what_has_diverged_is_not_drawn(shared_comparison):
    comparison = read(shared_comparison)
    lost = {
        name: replace(result, diverged={0: Divergence(round=1, agents=("acc-0",))})
        for name, result in comparison.methods.items()
    }
    one = replace(comparison, methods={**comparison.methods, "parse": lost["parse"]})
    names = final_accuracy(converged_record(one)).figure.axes[0].get_yticklabels()
    assert len(names) == len(METHODS) - 1
    assert converged_record(replace(comparison, methods=lost)) is None
