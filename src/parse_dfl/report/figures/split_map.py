"""Accuracy over the split of the latent into its three slices."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from matplotlib.axes import Axes

from parse_dfl.report.ablation_axes import SPLIT, Variation, told, variations
from parse_dfl.report.formatting import listed, percent
from parse_dfl.report.records import Collection
from parse_dfl.report.statistics import OURS, interval
from parse_dfl.report.style import GRID, SOFT, Picture, canvas, house_style

FEWEST = 4
"""Splits of which a map is worth drawing."""
MOST_PANELS = 4
HEIGHT = sqrt(3) / 2

Point = tuple[float, float]


@house_style
def split_map(collection: Collection) -> Picture | None:
    """A dot per split, at the weighted mean of the three corners, coloured by accuracy."""
    maps = [one for one in variations(collection) if one.place == SPLIT and len(one.at) >= FEWEST]
    maps = [one for one in maps if all(OURS in each.methods for _, each in one.at)][:MOST_PANELS]
    if not maps:
        return None
    columns = min(2, len(maps))
    rows = -(-len(maps) // columns)
    figure, panels = canvas(rows, columns, height=4.3 * rows, width=5.0 * columns)
    for index, panel in enumerate(panels):
        panel.set_visible(index < len(maps))
    for panel, one in zip(panels, maps, strict=False):
        _draw(panel, one)
    return Picture(
        name="split-map",
        title="Accuracy by split of the latent",
        caption=_caption(maps),
        figure=figure,
    )


def place_of(split: Sequence[float]) -> Point:
    """Where a split R, U, S lies: R lower left, U lower right, S at the top."""
    total = sum(split)
    _, unique, synergistic = (ratio / total for ratio in split)
    return unique + synergistic / 2, HEIGHT * synergistic


def _accuracies(one: Variation) -> list[float]:
    return [100 * interval(each.methods[OURS].mean_accuracy).mean for _, each in one.at]


def _draw(panel: Axes, one: Variation) -> None:
    for third in (0.25, 0.5, 0.75):
        for corner in range(3):
            ends = [_edge_point(corner, third, swap) for swap in (False, True)]
            panel.plot(*zip(*ends, strict=True), color=GRID, linewidth=0.8, zorder=1)
    panel.plot([0, 1, 0.5, 0], [0, 0, HEIGHT, 0], color=SOFT, linewidth=1, zorder=1)
    places = [place_of(split) for split, _ in one.at]
    values = _accuracies(one)
    x, y = zip(*places, strict=True)
    dots = panel.scatter(
        x, y, c=values, cmap="viridis", s=170, edgecolors=SOFT, linewidths=1, zorder=3
    )
    for place, value in zip(places, values, strict=True):
        panel.annotate(
            f"{value:.1f}", place, (0, 10), textcoords="offset points", ha="center", fontsize=8
        )
    for text, place, below in (
        ("redundant", (0, 0), -18),
        ("unique", (1, 0), -18),
        ("synergistic", (0.5, HEIGHT), 26),
    ):
        panel.annotate(text, place, (0, below), textcoords="offset points", ha="center")
    panel.figure.colorbar(dots, ax=panel, label="mean accuracy, %", shrink=0.7)
    panel.set_title(one.fixed, fontsize=9, pad=22)
    panel.set_aspect("equal")
    panel.set_axis_off()
    panel.margins(0.12)


def _edge_point(corner: int, share: float, swap: bool) -> Point:
    """On the line where one slice has ``share``: all the rest is one of the others'."""
    split = [0.0, 0.0, 0.0]
    split[corner] = share
    split[(corner + (2 if swap else 1)) % 3] = 1 - share
    return place_of(split)


def _caption(maps: Sequence[Variation]) -> str:
    told_maps = []
    for one in maps:
        values = _accuracies(one)
        best, worst = max(values), min(values)
        at = [told(split) for (split, _), v in zip(one.at, values, strict=True) if v == best]
        where = f"{one.fixed}: " if len(maps) > 1 else ""
        told_maps.append(
            f"{where}{listed(at)} is best with {percent(best / 100)} %, "
            f"{best - worst:.1f} points above the worst of {len(values)}"
        )
    return (
        "Each dot is a split R,U,S of the latent's width: the nearer a corner, the wider that "
        f"slice; on an edge one slice does not exist. {'; '.join(told_maps)}."
    )
