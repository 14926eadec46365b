"""PARSE minus its best rival, cell by cell."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from parse_dfl.report.duels import Duel, duels_of_kind, duels_with_best, tally
from parse_dfl.report.records import Collection
from parse_dfl.report.standings import KINDS, MEAN, standings_of
from parse_dfl.report.statistics import OURS
from parse_dfl.report.statistics_grids import WORDS
from parse_dfl.report.style import LOSS, SOFT, WIN, Picture, canvas, house_style, legend_below

LOOKS = {"win": (WIN, "o"), "tie": (SOFT, "D"), "loss": (LOSS, "X"), "untested": (SOFT, "s")}


@house_style
def differences(collection: Collection) -> Picture | None:
    """A dot per cell with its paired 95 % interval, a panel per kind of agents."""
    duels = duels_with_best(standings_of(collection))
    kinds = [kind for kind in KINDS if duels_of_kind(duels, kind)]
    if not kinds:
        return None
    longest = max(len(duels_of_kind(duels, kind)) for kind in kinds)
    figure, panels = canvas(1, len(kinds), height=1.5 + 0.2 * longest, width=10.0)
    for panel, kind in zip(panels, kinds, strict=True):
        _draw(panel, sorted(duels_of_kind(duels, kind), key=lambda duel: -duel.difference.mean))
        panel.set_title(WORDS[kind])
    figure.supxlabel("points ahead of the best rival", fontsize=10)
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


def _draw(panel: Axes, duels: Sequence[Duel]) -> None:
    for row, duel in enumerate(duels):
        color, marker = LOOKS[duel.outcome]
        half = None if duel.difference.half is None else 100 * duel.difference.half
        panel.errorbar(
            100 * duel.difference.mean, row, xerr=half, color=color, marker=marker, capsize=2
        )
    panel.axvline(0, color=SOFT, linewidth=1)
    panel.set_yticks(range(len(duels)), [_name(duel) for duel in duels], fontsize=7.5)
    panel.set_ylim(len(duels) - 0.4, -0.6)
    panel.grid(visible=False, axis="y")


def _name(duel: Duel) -> str:
    scope = "" if duel.standing.scope == MEAN else f" · {duel.standing.scope}"
    return f"{duel.standing.comparison}{scope}"


def _caption(duels: Sequence[Duel]) -> str:
    counts, raw = tally(duels), tally(duels, corrected=False)
    ahead = sum(duel.difference.mean > 0 for duel in duels)
    return (
        f"Right of the line {OURS} is ahead: in {ahead} of {len(duels)} cells by the mean over all "
        f"agents. After Holm's correction {counts['win']} of these differences are wins and "
        f"{counts['loss']} losses (before it {raw['win']} and {raw['loss']}); bars are paired 95 % "
        "intervals over seeds, not corrected."
    )
