"""Accuracy over rounds, a panel per agent group."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from matplotlib.axes import Axes

from parse_dfl.report.formatting import listed, percent
from parse_dfl.report.records import Comparison, Evaluation, Run, ordered_groups, runs_of
from parse_dfl.report.statistics import is_ranked
from parse_dfl.report.style import Picture, canvas, house_style, legend_below, look

Curve = Mapping[int, list[float]]  # round -> accuracies, one per seed


@house_style
def learning_curves(record: Run | Comparison) -> Picture | None:
    """The mean over seeds as a line; the band spans the lowest to the highest seed."""
    history = [line for run in runs_of(record) for line in run.history]
    groups = ordered_groups(line.group for line in history)
    if not groups:
        return None
    columns = min(3, len(groups))
    rows = -(-len(groups) // columns)
    figure, panels = canvas(rows, columns, height=2.9 * rows + 0.7)
    curves = {group: _curves(record, group) for group in groups}
    for panel, group in zip(panels, groups, strict=False):
        panel.set_title(group)
        for method, curve in curves[group].items():
            _draw(panel, method, curve)
    _tidy(panels, len(groups), columns)
    legend_below(figure, max(panels, key=lambda panel: len(panel.lines)))
    return Picture(
        name="learning-curves",
        title="Learning curves per agent group",
        caption=_caption(curves, len({line.seed for line in history})),
        figure=figure,
    )


def _curves(record: Run | Comparison, group: str) -> dict[str, Curve]:
    curves = {
        method: _by_round(line for run in runs for line in run.history if line.group == group)
        for method, runs in record.runs.items()
    }
    return {method: curve for method, curve in curves.items() if curve}


def _by_round(lines: Iterable[Evaluation]) -> Curve:
    curve: dict[int, list[float]] = {}
    for line in lines:
        curve.setdefault(line.round, []).append(line.accuracy)
    return dict(sorted(curve.items()))


def _draw(panel: Axes, method: str, curve: Curve) -> None:
    rounds = list(curve)
    style = look(method)
    means = [100 * float(np.mean(values)) for values in curve.values()]
    panel.plot(rounds, means, label=method, markevery=max(1, len(rounds) // 6), **style.line)
    low = [100 * min(values) for values in curve.values()]
    high = [100 * max(values) for values in curve.values()]
    panel.fill_between(rounds, low, high, color=style.color, alpha=0.13, linewidth=0)


def _tidy(panels: list[Axes], used: int, columns: int) -> None:
    """One scale for all panels, axis labels at the edge only, no empty panels."""
    limits = [limit for panel in panels[:used] for limit in panel.get_ylim()]
    for index, panel in enumerate(panels):
        panel.set_visible(index < used)
        panel.set_ylim(min(limits), max(limits))
        if index % columns == 0:
            panel.set_ylabel("accuracy, %")
        if index + columns >= used:
            panel.set_xlabel("round")


def _caption(curves: Mapping[str, Mapping[str, Curve]], seeds: int) -> str:
    ends = [f"{group}: {_highest(by_method)}" for group, by_method in curves.items()]
    band = "the band spans the lowest to the highest seed" if seeds > 1 else "one seed, so no band"
    return (
        f"Accuracy of each modality set's agents after mixing ({band}). "
        f"Highest at the last evaluated round – {'; '.join(ends)}."
    )


def _highest(by_method: Mapping[str, Curve]) -> str:
    """The leaders of a panel: all whose seeds reach into the range of the best one's."""
    last = {name: curve[max(curve)] for name, curve in by_method.items() if is_ranked(name)}
    if not last:
        return "only the oracle was run"
    best = max(last, key=lambda name: float(np.mean(last[name])))
    text = f"{best} with {percent(float(np.mean(last[best])))} %"
    close = [name for name in last if name != best and max(last[name]) >= min(last[best])]
    return f"{text}, within its range also {listed(close)}" if close else text
