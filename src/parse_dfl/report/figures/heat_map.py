"""Every method on every data set at a glance."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from parse_dfl.report.collection_grid import methods_of
from parse_dfl.report.grid import MISSING
from parse_dfl.report.labels import labels_of
from parse_dfl.report.ranking import mean_ranks
from parse_dfl.report.records import Collection
from parse_dfl.report.standings import MEAN, of_kind, standings_of
from parse_dfl.report.statistics import interval, is_ranked
from parse_dfl.report.style import Picture, canvas, house_style
from parse_dfl.report.units import listed

FRAME = {"fill": False, "edgecolor": "#D55E00", "linewidth": 2}


@house_style
def heat_map(collection: Collection) -> Picture:
    """Mean accuracy, method by data set; the best of each column is framed."""
    methods, labels = methods_of(collection), labels_of(collection)
    values = _accuracies(collection, methods)
    figure, (panel,) = canvas(
        1, 1, height=1.6 + 0.36 * len(methods), width=min(9.0, 3.0 + 1.1 * len(labels))
    )
    image = panel.imshow(values, cmap="viridis", aspect="auto")
    panel.set_xticks(range(len(labels)), labels, rotation=30, ha="right")
    panel.set_yticks(range(len(methods)), methods)
    panel.grid(visible=False)
    panel.spines[:].set_visible(False)
    figure.colorbar(image, ax=panel, label="mean accuracy, %")
    ranked_rows = [row for row, name in enumerate(methods) if is_ranked(name)]
    _write_cells(panel, values, ranked_rows)
    return Picture(
        name="heat-map",
        title="Method by data set",
        caption=_caption(collection),
        figure=figure,
    )


def _accuracies(collection: Collection, methods: list[str]) -> NDArray[np.float64]:
    """Percent, shape=(methods, comparisons); NaN where a comparison lacks a method."""
    return np.array(
        [
            [
                100 * interval(comparison.methods[name].mean_accuracy).mean
                if name in comparison.methods
                else np.nan
                for comparison in collection.comparisons
            ]
            for name in methods
        ]
    )


def _write_cells(panel: Axes, values: NDArray[np.float64], ranked_rows: list[int]) -> None:
    middle = (np.nanmin(values) + np.nanmax(values)) / 2
    for column in range(values.shape[1]):
        scores = {row: values[row, column] for row in ranked_rows if values[row, column] > 0}
        best = max(scores, key=scores.__getitem__, default=None)
        for row in range(values.shape[0]):
            value = values[row, column]
            panel.text(
                column,
                row,
                MISSING if np.isnan(value) else f"{value:.1f}",
                ha="center",
                va="center",
                color="black" if np.isnan(value) or value > middle else "white",
                fontweight="bold" if row == best else "normal",
                bbox=FRAME if row == best else None,
            )


def _caption(collection: Collection) -> str:
    ranks = mean_ranks(of_kind(standings_of(collection), MEAN))
    text = "Lighter is more accurate; the best of each column, the oracle apart, is framed."
    if len(ranks) < 2:
        return text
    lowest = min(ranks.values())
    best = sorted(name for name, rank in ranks.items() if rank == lowest)
    return (
        f"{text} {listed(best)} {'has' if len(best) == 1 else 'share'} the best mean rank, "
        f"{lowest:.2f} of {len(ranks)}; ranks say nothing about how far apart methods are."
    )
