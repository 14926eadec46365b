"""Draw the figures of a comparison: final accuracy, learning curves, and accuracy against bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from parse_dfl.records import MetricsLine
from parse_dfl.report.cells import ranked
from parse_dfl.report.formatting import file_size, listed, percent
from parse_dfl.report.load import MEAN, Comparison, Run, ordered_groups, runs_of
from parse_dfl.report.pairwise import best_sentence
from parse_dfl.report.statistics import Interval, interval
from parse_dfl.report.style import (
    INK,
    Look,
    Picture,
    canvas,
    house_style,
    legend_below,
    look,
    panel_grid,
)

ALL_AGENTS = "all agents"

SeedCurve = Mapping[int, list[float]]
"""Round → accuracies, one per seed."""


@house_style
def final_accuracy(comparison: Comparison) -> Picture:
    """Draw a dot per method with its 95 % interval, the best method on top, per agent group."""
    upper = [name for name in comparison.methods if not comparison.roles.is_ranked(name)]
    order = [*ranked(comparison), *upper]
    titles = [*comparison.groups, ALL_AGENTS]
    row_height = 0.9 + 0.27 * len(order)
    figure, panels, columns = panel_grid(
        len(titles), most_columns=4, row_height=row_height, extra=0
    )
    for index, panel in enumerate(panels):
        panel.tick_params(left=False, labelleft=index % columns == 0)
    for panel, title in zip(panels, titles, strict=False):
        panel.set_title(title, fontweight="bold" if title == ALL_AGENTS else "normal")
        panel.set_xlabel("accuracy, %")
        intervals = _intervals(comparison, title)
        for row, name in enumerate(order):
            if name in intervals:
                _draw_dot(panel, row, intervals[name], look(name, comparison.roles))
        panel.set_yticks(range(len(order)), order)
        panel.set_ylim(len(order) - 0.4, -0.6)
        panel.grid(visible=False, axis="x")
    return Picture(
        name="final-accuracy",
        title="Final accuracy",
        caption=f"Dots are means over seeds, bars 95 % intervals. {best_sentence(comparison)}",
        figure=figure,
    )


def _intervals(comparison: Comparison, title: str) -> dict[str, Interval]:
    values = {
        name: result.mean_accuracy if title == ALL_AGENTS else result.groups.get(title)
        for name, result in comparison.methods.items()
    }
    return {name: interval(accuracies) for name, accuracies in values.items() if accuracies}


def _draw_dot(panel: Axes, row: int, value: Interval, style: Look) -> None:
    half = None if value.half is None else 100 * value.half
    line = {**style.line, "linestyle": "none"}
    panel.errorbar(100 * value.mean, row, xerr=half, elinewidth=1.6, capsize=3, **line)


@house_style
def learning_curves(record: Run | Comparison) -> Picture | None:
    """Draw the mean over seeds as a line; the band spans the lowest to the highest seed."""
    history = [line for run in runs_of(record) for line in run.history]
    groups = ordered_groups(line.group for line in history)
    if not groups:
        return None
    figure, panels, columns = panel_grid(len(groups), most_columns=3, row_height=2.9, extra=0.7)
    curves = {group: _seed_curves(record, group) for group in groups}
    for panel, group in zip(panels, groups, strict=False):
        panel.set_title(group)
        for method, curve in curves[group].items():
            _draw_band(panel, method, curve, look(method, record.roles))
    limits = [limit for panel in panels[: len(groups)] for limit in panel.get_ylim()]
    for index, panel in enumerate(panels):
        panel.set_ylim(min(limits), max(limits))
        if index % columns == 0:
            panel.set_ylabel("accuracy, %")
        if index + columns >= len(groups):
            panel.set_xlabel("round")
    legend_below(figure, max(panels, key=lambda panel: len(panel.lines)))
    seeds = len({line.seed for line in history})
    band = "the band spans the lowest to the highest seed" if seeds > 1 else "one seed, so no band"
    ends = [f"{group}: {_highest(record, curves[group])}" for group in groups]
    return Picture(
        name="learning-curves",
        title="Learning curves per agent group",
        caption=f"Accuracy of each modality set's agents after mixing ({band}). "
        f"Highest at the last evaluated round – {'; '.join(ends)}.",
        figure=figure,
    )


def _seed_curves(record: Run | Comparison, group: str) -> dict[str, SeedCurve]:
    curves = {
        method: _by_round(line for run in runs for line in run.history if line.group == group)
        for method, runs in record.runs.items()
    }
    return {method: curve for method, curve in curves.items() if curve}


def _by_round(lines: Iterable[MetricsLine]) -> SeedCurve:
    curve: dict[int, list[float]] = {}
    for line in lines:
        curve.setdefault(line.round, []).append(line.accuracy)
    return dict(sorted(curve.items()))


def _draw_band(panel: Axes, method: str, curve: SeedCurve, style: Look) -> None:
    rounds = list(curve)
    means = [100 * float(np.mean(values)) for values in curve.values()]
    panel.plot(rounds, means, label=method, markevery=max(1, len(rounds) // 6), **style.line)
    low = [100 * min(values) for values in curve.values()]
    high = [100 * max(values) for values in curve.values()]
    panel.fill_between(rounds, low, high, color=style.color, alpha=0.13, linewidth=0)


def _highest(record: Run | Comparison, curves: Mapping[str, SeedCurve]) -> str:
    """Name the leaders of a panel: all whose seeds reach into the range of the best one's."""
    last = {
        name: curve[max(curve)] for name, curve in curves.items() if record.roles.is_ranked(name)
    }
    if not last:
        return f"only {record.roles.upper} was run"
    best = max(last, key=lambda name: float(np.mean(last[name])))
    text = f"{best} with {percent(float(np.mean(last[best])))} %"
    close = [name for name in last if name != best and max(last[name]) >= min(last[best])]
    return f"{text}, within its range also {listed(close)}" if close else text


def mean_curves(comparison: Comparison) -> dict[str, dict[int, float]]:
    """Return method → round → percent, over all agents and over seeds, where all seeds have it."""
    means = {}
    for method, runs in comparison.runs.items():
        curves = [run.curve(MEAN) for run in runs if run.summary and run.history]
        if curves:
            rounds = sorted(set(curves[0]).intersection(*curves[1:]))
            means[method] = {
                number: 100 * float(np.mean([curve[number] for curve in curves]))
                for number in rounds
            }
    return means


@house_style
def payload(comparison: Comparison) -> Picture | None:
    """Draw mean accuracy against bytes per link: at the end, and on the way there."""
    order = ranked(comparison)
    if not order:
        return None
    curves = {name: curve for name, curve in mean_curves(comparison).items() if name in order}
    figure, panels = canvas(1, 2 if curves else 1, height=4.0, width=9.5 if curves else 7.5)
    _draw_ends(panels[0], comparison, order)
    if curves:
        _draw_ways(panels[1], comparison, curves)
        panels[0].set_title("at the end", fontsize=10)
    legend_below(figure, panels[0], columns=5 if curves else 4)
    return Picture(
        name="accuracy-and-payload",
        title="Accuracy against bytes sent",
        caption=_payload_caption(comparison, order),
        figure=figure,
    )


def _draw_ends(panel: Axes, comparison: Comparison, order: Sequence[str]) -> None:
    for name in order:
        result = comparison.methods[name]
        value = interval(result.mean_accuracy)
        half = None if value.half is None else 100 * value.half
        style = {**look(name, comparison.roles).line, "linestyle": "none", "markersize": 8}
        kilobytes = result.payload_bytes_per_link / 1000
        panel.errorbar(
            kilobytes, 100 * value.mean, yerr=half, elinewidth=1.2, capsize=3, label=name, **style
        )
    upper = comparison.roles.upper
    if upper is not None and upper in comparison.methods:
        bound = interval(comparison.methods[upper].mean_accuracy).mean
        panel.axhline(100 * bound, color=INK, linestyle=":", label=f"{upper} (upper bound)")
    panel.set_xlabel("payload per link and round, kB")
    panel.set_ylabel("mean accuracy, %")
    panel.set_xlim(left=-0.03 * panel.get_xlim()[1])


def _draw_ways(
    panel: Axes, comparison: Comparison, curves: Mapping[str, Mapping[int, float]]
) -> None:
    for name, curve in curves.items():
        megabytes_per_round = comparison.methods[name].payload_bytes_per_link / 1e6
        if megabytes_per_round:
            sent = [number * megabytes_per_round for number in curve]
            style = look(name, comparison.roles).line
            panel.plot(sent, list(curve.values()), markevery=2, **style)
    panel.set_xscale("log")
    panel.set_xlabel("sent over a link by then, MB")
    panel.set_title("on the way", fontsize=10)


def _payload_caption(comparison: Comparison, order: Sequence[str]) -> str:
    """Name the methods on the frontier: nothing cheaper is at least as accurate."""
    bytes_of = {name: comparison.methods[name].payload_bytes_per_link for name in order}
    frontier = [
        name
        for index, name in enumerate(order)
        if all(bytes_of[name] < bytes_of[better] for better in order[:index])
    ]
    named = [
        f"{name} ({percent(interval(comparison.methods[name].mean_accuracy).mean)} % "
        f"for {file_size(bytes_of[name])})"
        for name in frontier
    ]
    return (
        "Further up is more accurate, further left cheaper; bars are 95 % intervals. By their "
        f"means, no method is both cheaper and at least as accurate as {listed(named)}."
    )
