"""PARSE minus its best rival, cell by cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from parse_dfl.report.cells import (
    KINDS,
    MEAN,
    Duel,
    duels_of_kind,
    duels_with_best,
    standings_of,
    tally,
)
from parse_dfl.report.records import Collection
from parse_dfl.report.statistics import OURS
from parse_dfl.report.statistics_tables import WORDS
from parse_dfl.report.style import LOSS, SOFT, WIN, Picture, canvas, house_style, legend_below

LOOKS = {"win": (WIN, "o"), "tie": (SOFT, "D"), "loss": (LOSS, "X"), "untested": (SOFT, "s")}
ROW, LEAST_ROW = 0.16, 0.24
"""Inches of a line: of one of several groups, and at least of a cell."""
SPREAD = 0.6
"""Share of a cell's row over which its groups are spread."""


@house_style
def differences(collection: Collection) -> Picture | None:
    """A row per cell, a panel per kind of agents: dots with their paired 95 % intervals.

    Rows are named once and ordered by the difference of the mean over all agents.
    """
    duels = duels_with_best(standings_of(collection))
    kinds = [kind for kind in KINDS if duels_of_kind(duels, kind)]
    if not kinds:
        return None
    in_order = sorted(duels_of_kind(duels, MEAN), key=lambda duel: -duel.difference.mean)
    cells = [duel.standing.comparison for duel in in_order]
    most = max(len(of) for kind in kinds for of in _by_cell(duels, kind, cells).values())
    height = 1.4 + max(LEAST_ROW, ROW * most) * len(cells)
    figure, panels = canvas(1, len(kinds), height=height, width=10.0)
    for panel, kind in zip(panels, kinds, strict=True):
        _draw(panel, _by_cell(duels, kind, cells))
        panel.set_title(WORDS[kind])
        panel.set_yticks(range(len(cells)), cells if panel is panels[0] else [], fontsize=8)
        panel.set_ylim(len(cells) - 0.4, -0.6)
        panel.grid(visible=False, axis="y")
    panels[len(panels) // 2].set_xlabel("points ahead of the best rival")
    for outcome in dict.fromkeys(duel.outcome for duel in duels):
        color, marker = LOOKS[outcome]
        panels[0].plot([], [], color=color, marker=marker, linestyle="none", label=outcome)
    legend_below(figure, panels[0])
    return Picture(
        name="differences",
        title=f"{OURS} against the best rival of each cell",
        caption=_caption(duels_of_kind(duels, MEAN)),
        figure=figure,
    )


def _by_cell(duels: Sequence[Duel], kind: str, cells: Sequence[str]) -> dict[str, list[Duel]]:
    """The duels of a kind, cell by cell in the order of ``cells``."""
    own = duels_of_kind(duels, kind)
    return {cell: [duel for duel in own if duel.standing.comparison == cell] for cell in cells}


def _draw(panel: Axes, cells: Mapping[str, Sequence[Duel]]) -> None:
    """A dot per duel; the name of an agent group stands at the right end of its line."""
    for row, duels in enumerate(cells.values()):
        for index, duel in enumerate(duels):
            place = row + SPREAD * ((index + 0.5) / len(duels) - 0.5)
            color, marker = LOOKS[duel.outcome]
            half = None if duel.difference.half is None else 100 * duel.difference.half
            panel.errorbar(
                100 * duel.difference.mean,
                place,
                xerr=half,
                color=color,
                marker=marker,
                markersize=4.5,
                capsize=2,
            )
            if duel.standing.scope != MEAN:
                panel.text(
                    1.01,
                    place,
                    duel.standing.scope,
                    transform=panel.get_yaxis_transform(),
                    fontsize=6.5,
                    color=SOFT,
                    va="center",
                )
    panel.axvline(0, color=SOFT, linewidth=1)


def _caption(duels: Sequence[Duel]) -> str:
    counts, raw = tally(duels), tally(duels, corrected=False)
    ahead = sum(duel.difference.mean > 0 for duel in duels)
    return (
        f"Right of the line {OURS} is ahead: in {ahead} of {len(duels)} cells by the mean over all "
        f"agents. After Holm's correction {counts['win']} of these differences are wins and "
        f"{counts['loss']} losses (before it {raw['win']} and {raw['loss']}); bars are paired 95 % "
        "intervals over seeds, not corrected."
    )
