"""Draw accuracy over one setting, all others equal, and a map of the latent's split."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from math import sqrt
from textwrap import fill

from matplotlib.axes import Axes

from parse_dfl.report.ablation_axes import (
    SPLIT,
    AblationAxis,
    ablation_axes,
    short_name,
    value_text,
)
from parse_dfl.report.collection import Collection
from parse_dfl.report.formatting import MISSING, listed, percent
from parse_dfl.report.statistics import Interval, interval
from parse_dfl.report.style import (
    GRID,
    SOFT,
    Picture,
    house_style,
    legend_below,
    look,
    panel_grid,
)

MOST_PANELS = 12
WIDE = 20
"""Numbers whose largest is so many times the smallest stand on a logarithmic axis."""
FEWEST_SPLITS = 4
"""Splits of which a map is worth drawing."""
MOST_MAPS = 4
HEIGHT = sqrt(3) / 2

Point = tuple[float, float]


@house_style
def ablations(collection: Collection) -> Picture | None:
    """Draw numbers as a curve, names as a row of dots; bars are 95 % intervals over seeds."""
    axes = [axis for axis in ablation_axes(collection) if axis.setting != SPLIT]
    if not axes:
        return None
    shown = axes[:MOST_PANELS]
    width = 3.3 * min(3, len(shown)) + 0.4
    figure, panels, columns = panel_grid(
        len(shown), most_columns=3, row_height=2.7, extra=0.7, width=width
    )
    for panel in panels[::columns]:
        panel.set_ylabel("mean accuracy, %")
    for panel, axis in zip(panels, shown, strict=False):
        _draw_axis(panel, axis)
    legend_below(figure, max(panels, key=lambda panel: len(panel.containers)), columns=4)
    return Picture(
        name="ablations",
        title="One setting at a time",
        caption=_caption(shown, len(axes) - len(shown)),
        figure=figure,
    )


def _accuracies(axis: AblationAxis, method: str) -> list[Interval | None]:
    """Return a method's mean accuracy at each point of an axis; None where it is not compared."""
    return [
        interval(comparison.methods[method].mean_accuracy) if method in comparison.methods else None
        for _, comparison in axis.points
    ]


def _draw_axis(panel: Axes, axis: AblationAxis) -> None:
    values = [value for value, _ in axis.points]
    methods = list(dict.fromkeys(m for _, comparison in axis.points for m in comparison.methods))
    roles = axis.points[0][1].roles
    positions: Sequence[float] = values if axis.is_numeric else range(len(values))
    for index, method in enumerate(methods):
        points = [
            (position, accuracy)
            for position, accuracy in zip(positions, _accuracies(axis, method), strict=True)
            if accuracy
        ]
        shift = 0.0 if axis.is_numeric else 0.12 * (index - (len(methods) - 1) / 2)
        style = look(method, roles).line | ({} if axis.is_numeric else {"linestyle": "none"})
        bars = [100 * (accuracy.half or 0) for _, accuracy in points]
        panel.errorbar(
            [position + shift for position, _ in points],
            [100 * accuracy.mean for _, accuracy in points],
            yerr=bars if any(bars) else None,
            elinewidth=1,
            capsize=2,
            label=method,
            **style,
        )
    panel.set_title(fill(axis.fixed, 42), fontsize=8.5)
    panel.set_xlabel(axis.name)
    if not axis.is_numeric:
        panel.set_xticks(range(len(values)), map(value_text, values), rotation=20)
        panel.grid(visible=False, axis="x")
    elif min(values) > 0 and max(values) / min(values) >= WIDE:
        panel.set_xscale("log")
        panel.set_xticks(values, map(value_text, values))
        panel.minorticks_off()


def _caption(shown: Sequence[AblationAxis], hidden: int) -> str:
    settings = [
        f"{short_name(setting)} {listed(list(map(_best, axes)))}"
        for setting, axes in groupby(shown, key=lambda axis: axis.setting)
    ]
    text = (
        "Every panel changes one setting and leaves all others alone (its title says which). "
        f"The best mean at each: {'; '.join(settings)}."
    )
    return f"{text} {hidden} more panels are not drawn." if hidden else text


def _best(axis: AblationAxis) -> str:
    """Say where the subject, or else the first method that competes, is highest."""
    roles = axis.points[0][1].roles
    names = {name for _, comparison in axis.points for name in comparison.methods}
    method = roles.subject if roles.subject in names else None
    method = method or min(filter(roles.is_ranked, names), default="")
    means = {
        value_text(value): accuracy.mean
        for (value, _), accuracy in zip(axis.points, _accuracies(axis, method), strict=True)
        if accuracy
    }
    if not means:
        return MISSING
    best = max(means, key=means.__getitem__)
    return f"{best} ({percent(means[best])} %)"


@house_style
def split_map(collection: Collection) -> Picture | None:
    """Draw a dot per split, at the weighted mean of the three corners, coloured by accuracy."""
    subject = collection.roles.subject
    maps = [
        (axis, [100 * accuracy.mean for accuracy in _accuracies(axis, subject) if accuracy])
        for axis in (ablation_axes(collection) if subject else ())
        if axis.setting == SPLIT and len(axis.points) >= FEWEST_SPLITS and subject
    ]
    maps = [(axis, values) for axis, values in maps if len(values) == len(axis.points)][:MOST_MAPS]
    if not maps:
        return None
    width = 5.0 * min(2, len(maps))
    figure, panels, _ = panel_grid(len(maps), most_columns=2, row_height=4.3, extra=0, width=width)
    for panel, (axis, values) in zip(panels, maps, strict=False):
        _draw_map(panel, axis, values)
    return Picture(
        name="split-map",
        title="Accuracy by split of the latent",
        caption=_map_caption(maps),
        figure=figure,
    )


def split_point(split: Sequence[float]) -> Point:
    """Return where a split R, U, S lies: R lower left, U lower right, S at the top."""
    total = sum(split)
    _, unique, synergistic = (ratio / total for ratio in split)
    return unique + synergistic / 2, HEIGHT * synergistic


def _draw_map(panel: Axes, axis: AblationAxis, values: Sequence[float]) -> None:
    for third in (0.25, 0.5, 0.75):
        for corner in range(3):
            ends = [_edge_point(corner, third, swap) for swap in (False, True)]
            panel.plot(*zip(*ends, strict=True), color=GRID, linewidth=0.8, zorder=1)
    panel.plot([0, 1, 0.5, 0], [0, 0, HEIGHT, 0], color=SOFT, linewidth=1, zorder=1)
    points = [split_point(split) for split, _ in axis.points]
    x, y = zip(*points, strict=True)
    dots = panel.scatter(
        x, y, c=values, cmap="viridis", s=170, edgecolors=SOFT, linewidths=1, zorder=3
    )
    for point, value in zip(points, values, strict=True):
        panel.annotate(
            f"{value:.1f}", point, (0, 10), textcoords="offset points", ha="center", fontsize=8
        )
    for text, corner_point, below in (
        ("redundant", (0, 0), -18),
        ("unique", (1, 0), -18),
        ("synergistic", (0.5, HEIGHT), 26),
    ):
        panel.annotate(text, corner_point, (0, below), textcoords="offset points", ha="center")
    panel.figure.colorbar(dots, ax=panel, label="mean accuracy, %", shrink=0.7)
    panel.set_title(axis.fixed, fontsize=9, pad=22)
    panel.set_aspect("equal")
    panel.set_axis_off()
    panel.margins(0.12)


def _edge_point(corner: int, share: float, swap: bool) -> Point:
    """Return a point where one slice has ``share``, and all the rest is one of the others'."""
    split = [0.0, 0.0, 0.0]
    split[corner] = share
    split[(corner + (2 if swap else 1)) % 3] = 1 - share
    return split_point(split)


def _map_caption(maps: Sequence[tuple[AblationAxis, Sequence[float]]]) -> str:
    sentences = []
    for axis, values in maps:
        best = max(values)
        splits = [value_text(split) for (split, _), v in zip(axis.points, values, strict=True)
                  if v == best]  # fmt: skip
        fixed = f"{axis.fixed}: " if len(maps) > 1 else ""
        sentences.append(
            f"{fixed}{listed(splits)} is best with {percent(best / 100)} %, "
            f"{best - min(values):.1f} points above the worst of {len(values)}"
        )
    return (
        "Each dot is a split R,U,S of the latent's width: the nearer a corner, the wider that "
        f"slice; on an edge one slice does not exist. {'; '.join(sentences)}."
    )
