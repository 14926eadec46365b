"""Mean accuracy over rounds, a panel per comparison."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from parse_dfl.report.cells import MEAN
from parse_dfl.report.cost_to_accuracy import curve_of
from parse_dfl.report.formatting import listed
from parse_dfl.report.load import labels_of
from parse_dfl.report.records import Collection, Comparison
from parse_dfl.report.statistics import is_ranked
from parse_dfl.report.style import Picture, canvas, house_style, legend_below, look

MOST_PANELS = 12


@house_style
def collection_curves(collection: Collection) -> Picture | None:
    """The mean over agents and seeds, per method."""
    labelled = zip(labels_of(collection), collection.comparisons, strict=True)
    found = {label: mean_curves(one) for label, one in labelled}
    curves = {label: own for label, own in found.items() if own}
    if not curves:
        return None
    shown = dict(list(curves.items())[:MOST_PANELS])
    columns = min(4, len(shown))
    rows = -(-len(shown) // columns)
    figure, panels = canvas(rows, columns, height=2.3 * rows + 0.7, width=10.0)
    for index, panel in enumerate(panels):
        panel.set_visible(index < len(shown))
        if index % columns == 0:
            panel.set_ylabel("accuracy, %")
        if index + columns >= len(shown):
            panel.set_xlabel("round")
    for panel, (label, methods) in zip(panels, shown.items(), strict=False):
        panel.set_title(label, fontsize=10)
        for method, curve in methods.items():
            style = {**look(method).line, "markersize": 4, "linewidth": 1.2}
            panel.plot(list(curve), list(curve.values()), label=method, markevery=3, **style)
    legend_below(figure, max(panels, key=lambda panel: len(panel.lines)), columns=5)
    return Picture(
        name="curves",
        title="Learning curves",
        caption=_caption(shown, len(curves) - len(shown)),
        figure=figure,
    )


def mean_curves(comparison: Comparison) -> dict[str, dict[int, float]]:
    """Method → round → percent, over all agents and over seeds; rounds that all seeds have."""
    found = {}
    for method, runs in comparison.runs.items():
        curves = [curve_of(run, MEAN) for run in runs if run.summary and run.history]
        if curves:
            rounds = sorted(set(curves[0]).intersection(*curves[1:]))
            found[method] = {
                number: 100 * float(np.mean([curve[number] for curve in curves]))
                for number in rounds
            }
    return found


def _caption(shown: Mapping[str, Mapping[str, Mapping[int, float]]], hidden: int) -> str:
    leaders = [leader for methods in shown.values() if (leader := _leader_half_way(methods))]
    ordered = sorted(set(leaders), key=lambda name: -leaders.count(name))
    told = listed([f"{name} in {leaders.count(name)}" for name in ordered])
    text = (
        "Accuracy over rounds, mean over all agents and seeds; every panel has its own scale. "
        f"Half-way through, the highest line is that of {told} of {len(shown)} panels."
    )
    return f"{text} {hidden} more are not drawn." if hidden > 0 else text


def _leader_half_way(methods: Mapping[str, Mapping[int, float]]) -> str | None:
    middle = {
        name: list(curve.values())[len(curve) // 2]
        for name, curve in methods.items()
        if is_ranked(name) and curve
    }
    return max(middle, key=lambda name: middle[name]) if middle else None
