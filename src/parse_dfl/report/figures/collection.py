"""Draw a folder of comparisons: heat map, differences cell by cell, learning curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from parse_dfl.report.cells import KINDS, Cell, cells_of, of_kind, rankings
from parse_dfl.report.collection import Collection
from parse_dfl.report.figures.comparison import mean_curves
from parse_dfl.report.formatting import MISSING, listed
from parse_dfl.report.load import MEAN
from parse_dfl.report.pairwise import PairwiseTest, pairwise_of_kind, pairwise_with_best, tally
from parse_dfl.report.style import (
    LOSS,
    ON_DARK,
    ON_LIGHT,
    SOFT,
    WIN,
    Picture,
    canvas,
    house_style,
    legend_below,
    look,
    panel_grid,
)
from parse_dfl.report.tables.results import methods_of
from parse_dfl.report.tables.statistics import KIND_NAMES

FRAME = {"fill": False, "edgecolor": "#D55E00", "linewidth": 2, "boxstyle": "square,pad=0.25"}
WORST = 20.0
"""Points behind the best from which on all cells look alike, so that small differences show."""
OUTCOME_LOOKS = {
    "win": (WIN, "o"),
    "tie": (SOFT, "D"),
    "loss": (LOSS, "X"),
    "untested": (SOFT, "s"),
}
ROW_INCHES, LEAST_ROW_INCHES = 0.16, 0.24
"""Height of a line: of one of several groups, and at least of a cell."""
SPREAD = 0.6
"""Share of a cell's row over which its groups are spread."""
MOST_PANELS = 12

Curves = Mapping[str, Mapping[int, float]]
"""Method → round → percent."""


@house_style
def heat_map(collection: Collection) -> Picture | None:
    """Draw mean accuracy, data set by method; the colour says how far behind the row's best."""
    cells = of_kind(cells_of(collection), MEAN)
    methods, labels = methods_of(collection), collection.labels
    if len(methods) < 2:
        return None
    values = np.array([[100 * cell.means.get(m, np.nan) for m in methods] for cell in cells])
    ranked = [column for column, name in enumerate(methods) if collection.roles.is_ranked(name)]
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
    _write_values(panel, values, behind)
    return Picture(
        name="heat-map",
        title="Method by data set",
        caption=_heat_map_caption(cells),
        figure=figure,
    )


def _behind_best(values: NDArray[np.float64], ranked: Sequence[int]) -> NDArray[np.float64]:
    """Return points behind the best of the ranked columns; 0 where the upper bound is ahead."""
    filled = np.where(np.isnan(values[:, ranked]), -np.inf, values[:, ranked])
    best = filled.max(axis=1, initial=-np.inf, keepdims=True)
    return np.clip(np.where(np.isfinite(best), best, np.nan) - values, 0, None)


def _write_values(panel: Axes, values: NDArray[np.float64], behind: NDArray[np.float64]) -> None:
    for (row, column), value in np.ndenumerate(values):
        distance = behind[row, column]
        light = np.isnan(distance) or distance < WORST / 2
        is_alone = np.isfinite(values[row]).sum() < 2
        is_best = not is_alone and distance == 0 and value == values[row][behind[row] == 0].min()
        panel.text(
            column,
            row,
            MISSING if np.isnan(value) else f"{value:.1f}",
            ha="center",
            va="center",
            fontsize=9,
            color=ON_LIGHT if light else ON_DARK,
            fontweight="bold" if is_best else "normal",
            bbox=FRAME if is_best else None,
        )


def _heat_map_caption(cells: Sequence[Cell]) -> str:
    ranking = next(iter(rankings(cells)), None)
    upper = cells[0].roles.upper
    text = (
        "Accuracy in percent; the lighter, the closer to the best of its row, which is framed"
        f"{f' ({upper} apart)' if upper else ''}."
    )
    if ranking is None or len(ranking.ranks) < 2:
        return f"{text} {ranking.sentences}" if ranking else text
    lowest = min(ranking.ranks.values())
    best = sorted(name for name, rank in ranking.ranks.items() if rank == lowest)
    return (
        f"{text} Among all that compete {listed(best)} "
        f"{'has' if len(best) == 1 else 'share'} the best mean rank, {lowest:.2f} of "
        f"{len(ranking.ranks)} over {ranking.over}; ranks say nothing about how far apart methods "
        "are."
    )


@house_style
def differences(collection: Collection) -> Picture | None:
    """Draw a row per cell, a panel per kind of agents: dots with their paired 95 % intervals.

    Rows are named once and ordered by the difference of the mean over all agents.
    """
    tests = pairwise_with_best(cells_of(collection))
    kinds = [kind for kind in KINDS if pairwise_of_kind(tests, kind)]
    if not kinds:
        return None
    means = sorted(pairwise_of_kind(tests, MEAN), key=lambda test: -test.difference.mean)
    labels = [test.cell.comparison for test in means]
    rows = {kind: _by_label(pairwise_of_kind(tests, kind), labels) for kind in kinds}
    most = max(len(row) for by_label in rows.values() for row in by_label.values())
    height = 1.4 + max(LEAST_ROW_INCHES, ROW_INCHES * most) * len(labels)
    figure, panels = canvas(1, len(kinds), height=height, width=10.0)
    for panel, kind in zip(panels, kinds, strict=True):
        _draw_differences(panel, rows[kind])
        panel.set_title(KIND_NAMES[kind])
        panel.set_yticks(range(len(labels)), labels if panel is panels[0] else [], fontsize=8)
        panel.set_ylim(len(labels) - 0.4, -0.6)
        panel.grid(visible=False, axis="y")
    panels[len(panels) // 2].set_xlabel("points ahead of the best rival")
    for outcome in dict.fromkeys(test.outcome for test in tests):
        color, marker = OUTCOME_LOOKS[outcome]
        panels[0].plot([], [], color=color, marker=marker, linestyle="none", label=outcome)
    legend_below(figure, panels[0])
    subject = tests[0].subject
    return Picture(
        name="differences",
        title=f"{subject} against the best rival of each cell",
        caption=_differences_caption(subject, means),
        figure=figure,
    )


def _by_label(
    tests: Sequence[PairwiseTest], labels: Sequence[str]
) -> dict[str, list[PairwiseTest]]:
    return {label: [test for test in tests if test.cell.comparison == label] for label in labels}


def _draw_differences(panel: Axes, rows: Mapping[str, Sequence[PairwiseTest]]) -> None:
    """Draw a dot per test; the name of an agent group stands at the right end of its line."""
    for row, tests in enumerate(rows.values()):
        for index, test in enumerate(tests):
            height = row + SPREAD * ((index + 0.5) / len(tests) - 0.5)
            color, marker = OUTCOME_LOOKS[test.outcome]
            half = None if test.difference.half is None else 100 * test.difference.half
            panel.errorbar(
                100 * test.difference.mean,
                height,
                xerr=half,
                color=color,
                marker=marker,
                markersize=4.5,
                capsize=2,
            )
            if test.cell.scope != MEAN:
                panel.text(
                    1.01,
                    height,
                    test.cell.scope,
                    transform=panel.get_yaxis_transform(),
                    fontsize=6.5,
                    color=SOFT,
                    va="center",
                )
    panel.axvline(0, color=SOFT, linewidth=1)


def _differences_caption(subject: str, tests: Sequence[PairwiseTest]) -> str:
    counts, raw = tally(tests), tally(tests, corrected=False)
    ahead = sum(test.difference.mean > 0 for test in tests)
    return (
        f"Right of the line {subject} is ahead: in {ahead} of {len(tests)} cells by the mean over "
        f"all agents. After Holm's correction {counts['win']} of these differences are wins and "
        f"{counts['loss']} losses (before it {raw['win']} and {raw['loss']}); bars are paired 95 % "
        "intervals over seeds, not corrected."
    )


@house_style
def collection_curves(collection: Collection) -> Picture | None:
    """Draw the mean over agents and seeds over rounds, per method, a panel per comparison."""
    compared = zip(collection.labels, collection.comparisons, strict=True)
    curves = {label: methods for label, one in compared if (methods := mean_curves(one))}
    if not curves:
        return None
    shown = dict(list(curves.items())[:MOST_PANELS])
    figure, panels, columns = panel_grid(
        len(shown), most_columns=4, row_height=2.3, extra=0.7, width=10.0
    )
    for index, panel in enumerate(panels):
        if index % columns == 0:
            panel.set_ylabel("accuracy, %")
        if index + columns >= len(shown):
            panel.set_xlabel("round")
    for panel, (label, methods) in zip(panels, shown.items(), strict=False):
        panel.set_title(label, fontsize=10)
        for method, curve in methods.items():
            style = {**look(method, collection.roles).line, "markersize": 4, "linewidth": 1.2}
            panel.plot(list(curve), list(curve.values()), label=method, markevery=3, **style)
    legend_below(figure, max(panels, key=lambda panel: len(panel.lines)), columns=5)
    return Picture(
        name="curves",
        title="Learning curves",
        caption=_curves_caption(collection, shown, len(curves) - len(shown)),
        figure=figure,
    )


def _curves_caption(collection: Collection, shown: Mapping[str, Curves], hidden: int) -> str:
    leaders = []
    for methods in shown.values():
        half_way = {
            name: list(curve.values())[len(curve) // 2]
            for name, curve in methods.items()
            if collection.roles.is_ranked(name) and curve
        }
        if half_way:
            leaders.append(max(half_way, key=half_way.__getitem__))
    ordered = sorted(set(leaders), key=lambda name: -leaders.count(name))
    counts = listed([f"{name} in {leaders.count(name)}" for name in ordered])
    text = (
        "Accuracy over rounds, mean over all agents and seeds; every panel has its own scale. "
        f"Half-way through, the highest line is that of {counts} of {len(shown)} panels."
    )
    return f"{text} {hidden} more are not drawn." if hidden > 0 else text
