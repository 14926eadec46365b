"""Every method on every data set at a glance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from parse_dfl.report.cells import MEAN, Standing, of_kind, standings_of
from parse_dfl.report.formatting import listed
from parse_dfl.report.load import labels_of
from parse_dfl.report.rankings import rankings
from parse_dfl.report.records import Collection
from parse_dfl.report.result_tables import methods_of
from parse_dfl.report.statistics import is_ranked
from parse_dfl.report.style import ON_DARK, ON_LIGHT, Picture, canvas, house_style
from parse_dfl.report.table import MISSING

FRAME = {"fill": False, "edgecolor": "#D55E00", "linewidth": 2, "boxstyle": "square,pad=0.25"}
WORST = 20.0
"""Points behind the best from which on all cells look alike, so that small differences show."""


@house_style
def heat_map(collection: Collection) -> Picture | None:
    """Mean accuracy, data set by method; the colour says how far behind the row's best."""
    standings = of_kind(standings_of(collection), MEAN)
    methods, labels = methods_of(collection), labels_of(collection)
    if len(methods) < 2:
        return None
    values = np.array([[100 * one.means.get(m, np.nan) for m in methods] for one in standings])
    ranked = [column for column, name in enumerate(methods) if is_ranked(name)]
    behind = _behind_best(values, ranked)
    figure, (panel,) = canvas(
        1, 1, height=1.9 + 0.34 * len(labels), width=min(10.0, 3.2 + 0.78 * len(methods))
    )
    image = panel.imshow(behind, cmap="viridis_r", aspect="auto", vmin=0, vmax=WORST)
    panel.set_xticks(range(len(methods)), methods, rotation=35, ha="left")
    panel.xaxis.tick_top()
    panel.set_yticks(range(len(labels)), labels)
    panel.tick_params(length=0)
    panel.grid(visible=False)
    panel.spines[:].set_visible(False)
    figure.colorbar(image, ax=panel, label="points behind the row's best", extend="max")
    _write_cells(panel, values, behind)
    return Picture(
        name="heat-map",
        title="Method by data set",
        caption=_caption(standings),
        figure=figure,
    )


def _behind_best(values: NDArray[np.float64], ranked: Sequence[int]) -> NDArray[np.float64]:
    """Points behind the best of the ranked columns; the oracle may lie ahead, which is 0."""
    filled = np.where(np.isnan(values[:, ranked]), -np.inf, values[:, ranked])
    best = filled.max(axis=1, initial=-np.inf, keepdims=True)
    return np.clip(np.where(np.isfinite(best), best, np.nan) - values, 0, None)


def _write_cells(panel: Axes, values: NDArray[np.float64], behind: NDArray[np.float64]) -> None:
    for (row, column), value in np.ndenumerate(values):
        missing = np.isnan(value)
        distance = behind[row, column]
        light = np.isnan(distance) or distance < WORST / 2
        is_alone = np.isfinite(values[row]).sum() < 2
        is_best = not is_alone and distance == 0 and value == values[row][behind[row] == 0].min()
        panel.text(
            column,
            row,
            MISSING if missing else f"{value:.1f}",
            ha="center",
            va="center",
            fontsize=9,
            color=ON_LIGHT if light else ON_DARK,
            fontweight="bold" if is_best else "normal",
            bbox=FRAME if is_best else None,
        )


def _caption(standings: Sequence[Standing]) -> str:
    ranked = rankings(standings)
    ranks = ranked[0].ranks if ranked else {}
    text = (
        "Accuracy in percent; the lighter, the closer to the best of its row, which is framed "
        "(the oracle apart)."
    )
    if len(ranks) < 2:
        return f"{text} {ranked[0].sentences}" if ranked else text
    lowest = min(ranks.values())
    best = sorted(name for name, rank in ranks.items() if rank == lowest)
    return (
        f"{text} Among PARSE and its rivals {listed(best)} "
        f"{'has' if len(best) == 1 else 'share'} the best mean rank, {lowest:.2f} of "
        f"{len(ranks)} over {ranked[0].over}; ranks say nothing about how far apart methods are."
    )
