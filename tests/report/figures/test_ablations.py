"""The pictures of one setting at a time, on collections made by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from parse_dfl.records import NO_ROLES
from parse_dfl.report.collection import Collection
from parse_dfl.report.figures.ablations import ablations, split_map
from parse_dfl.report.load import Comparison, MethodResult
from parse_dfl.runs.reporting import ROLES

SPLITS = ([1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1])


def result(*values):
    return MethodResult(
        seeds=tuple(range(len(values))),
        groups={},
        mean_accuracy=values,
        payload_bytes_per_link=1.0,
        seconds=1.0,
    )


def collection(configs, values, roles=ROLES, method="parse"):
    comparisons = tuple(
        Comparison(
            directory=Path(),
            name=f"c{index}",
            data="digits",
            config=config,
            methods={method: result(*accuracies)},
            roles=roles,
        )
        for index, (config, accuracies) in enumerate(zip(configs, values, strict=True))
    )
    return Collection(directory=Path(), comparisons=comparisons, roles=roles)


@pytest.mark.parametrize(("roles", "method"), [(ROLES, "parse"), (NO_ROLES, "mine")])
def test_the_caption_names_the_best_value_of_the_method_in_question(roles, method):
    configs = [{"training": {"local_epochs": epochs}} for epochs in (1, 2, 50)]
    values = [(0.5, 0.6), (0.7, 0.8), (0.6, 0.6)]
    picture = ablations(collection(configs, values, roles, method))
    assert "The best mean at each: local epochs 2 (75.0 %)." in picture.caption
    (panel,) = picture.figure.axes
    assert panel.get_xscale() == "log"  # 50 times the smallest


def test_names_make_a_row_of_dots():
    configs = [{"network": {"fusion": fusion}} for fusion in ("sum", "concat")]
    (panel,) = ablations(collection(configs, [(0.5,), (0.6,)])).figure.axes
    assert [label.get_text() for label in panel.get_xticklabels()] == ["concat", "sum"]


def test_the_map_names_the_best_split_and_how_far_the_worst_is():
    configs = [{"network": {"split": split}} for split in SPLITS]
    values = [(0.8,), (0.5,), (0.6,), (0.7,)]
    picture = split_map(collection(configs, values))
    assert "1,1,1 is best with 80.0 %, 30.0 points above the worst of 4" in picture.caption
    assert ablations(collection(configs, values)) is None


def test_without_a_method_in_question_there_is_no_map():
    configs = [{"network": {"split": split}} for split in SPLITS]
    assert split_map(collection(configs, [(0.5,)] * 4, NO_ROLES)) is None
