"""The tables of the statistics: duels cell by cell, what they sum up to, and what a goal costs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from parse_dfl.report.cells import (
    KINDS,
    MEAN,
    OUTCOMES,
    Duel,
    Standing,
    duels_of_kind,
    duels_with_best,
    of_kind,
    standings_of,
    tally,
    unpaired,
)
from parse_dfl.report.cost_to_accuracy import LEVELS, Reached, reached
from parse_dfl.report.formatting import file_size, percent_interval, signed_points
from parse_dfl.report.rankings import rankings
from parse_dfl.report.records import Collection, Comparison
from parse_dfl.report.statistics import OURS, interval
from parse_dfl.report.statistics_file import gaps_closed
from parse_dfl.report.table import MISSING, Cell, Grid

WORDS = {"mean": "all agents", "unimodal": "unimodal agents", "multimodal": "multimodal agents"}


def duels_grid(record: Comparison | Collection) -> Grid | None:
    """A row per cell, for all agents together."""
    return _duels_grid(record, [MEAN], folded=False)


def group_duels_grid(record: Comparison | Collection) -> Grid | None:
    """A row per cell and modality set; folded where there are many."""
    is_many = isinstance(record, Collection)
    return _duels_grid(record, [kind for kind in KINDS if kind != MEAN], folded=is_many)


def _duels_grid(
    record: Comparison | Collection, kinds: Sequence[str], *, folded: bool
) -> Grid | None:
    """PARSE, its best rival, the difference, and what follows from it."""
    standings = standings_of(record)
    duels = [duel for duel in duels_with_best(standings) if duel.standing.kind in kinds]
    if not duels:
        return None
    who = "all agents" if MEAN in kinds else "each agent group"
    return Grid(
        title=f"{OURS} against its best rival, {who}",
        header=("cell", "agents", OURS, "best rival", "its accuracy", "difference", "p", "outcome"),
        rows=tuple(map(_duel_row, duels)),
        notes=(
            "In percent and points. The difference is paired by seed, ± half its 95 % interval; p "
            "is Holm's, corrected over all cells of one kind (the mean, unimodal sets, multimodal "
            "sets).",
            "The best rival is picked by the same numbers that it is compared on, which favours "
            "it. Controls on PARSE's network, its variants and the oracle are no rivals.",
            *(f"No difference for {told}." for told in unpaired(standings) if MEAN in kinds),
        ),
        folded=folded,
    )


def _duel_row(duel: Duel) -> tuple[Cell, ...]:
    standing = duel.standing
    texts = (
        standing.comparison,
        "all" if standing.scope == MEAN else standing.scope,
        percent_interval(interval(standing.values[OURS])),
        duel.rival,
        percent_interval(interval(standing.values[duel.rival])),
        signed_points(duel.difference),
        MISSING if duel.p_holm is None else f"{duel.p_holm:.3f}",
        duel.outcome,
    )
    *others, outcome = texts
    return (
        *(Cell(text=text) for text in others),
        Cell(text=outcome, best=outcome == "win"),
    )


def summary_grid(collection: Collection) -> Grid | None:
    """A row per kind of scope: wins, ties, losses, mean difference, PARSE's mean rank."""
    standings = standings_of(collection)
    duels = duels_with_best(standings)
    rows = []
    for kind in KINDS:
        own = duels_of_kind(duels, kind)
        if own:
            counts, raw = tally(own), tally(own, corrected=False)
            difference = interval([duel.difference.mean for duel in own])
            told = [f"{counts[name]} ({raw[name]})" for name in OUTCOMES[:3]]
            untested = str(counts["untested"])
            cells = f"{len(own)} of {len(of_kind(standings, kind))}"
            rank = _rank(of_kind(standings, kind))
            rows.append((WORDS[kind], cells, *told, untested, signed_points(difference), rank))
    if not rows:
        return None
    return Grid(
        title=f"{OURS} against the best rival of each cell, summed up",
        header=("agents", "cells", *(f"{name}s" for name in ("win", "tie", "losse")),
                "untested", "mean difference", "mean rank"),
        rows=tuple(tuple(Cell(text=text) for text in row) for row in rows),
        notes=(
            "Wins, ties and losses after Holm's correction over the cells of the row; in brackets "
            "before it. Untested are differences of one seed. Cells: those that hold "
            f"{OURS} and a rival, of all.",
            f"The mean rank of {OURS} is over the cells in brackets, those with all methods that "
            "compete; the table of accuracies names what is left out.",
            "The mean difference is over cells, in points, ± half its 95 % interval over cells.",
        ),
    )  # fmt: skip


def _rank(standings: Sequence[Standing]) -> str:
    found = rankings(standings)
    if not found or OURS not in found[0].ranks:
        return MISSING
    ranks = found[0].ranks
    return f"{ranks[OURS]:.2f} of {len(ranks)} ({found[0].over})"


def gaps_grid(collection: Collection) -> Grid | None:
    """Method → mean gap closed, per kind of scope."""
    found = {kind: gaps_closed(of_kind(standings_of(collection), kind)) for kind in KINDS}
    names = sorted(found[MEAN], key=lambda name: -found[MEAN][name]["mean"])
    if not names:
        return None
    return Grid(
        title="Gap closed between local training and the oracle",
        header=("method", *(WORDS[kind] for kind in KINDS)),
        rows=tuple(
            (Cell(text=name), *(Cell(text=_gap(found[kind].get(name))) for kind in KINDS))
            for name in names
        ),
        notes=(
            "(accuracy − local) / (oracle − local), mean over the cells whose oracle lies at "
            "least 2 points above local (in brackets how many).",
        ),
    )


def _gap(found: dict[str, float] | None) -> str:
    return MISSING if found is None else f"{found['mean']:.2f} ({found['cells']})"


def reach_grid(comparison: Comparison, levels: Sequence[float] = LEVELS) -> Grid | None:
    """A row per method: rounds and bytes per link to reach each accuracy, all agents' mean."""
    found = [one for one in reached(comparison, levels) if one.scope == MEAN]
    goals = _telling(found)
    if not goals:
        return None
    methods = list(dict.fromkeys(one.method for one in found))
    return Grid(
        title="Rounds and bytes to reach an accuracy",
        header=("method", *(f"{100 * goal:g} %" for goal in goals)),
        rows=tuple((Cell(text=name), *_reach_cells(name, goals, found)) for name in methods),
        notes=(
            "The first evaluated round at which the mean over all agents is there, and the bytes "
            "a link has carried by then; mean over seeds, a dash where a seed never is. Left out "
            "are accuracies that all methods had reached when they were first evaluated.",
        ),
    )


def _telling(found: Sequence[Reached]) -> list[float]:
    """The accuracies that tell methods apart: not those that all had at one and the same round."""
    goals = sorted({one.accuracy for one in found})
    rounds = {
        goal: {one.rounds and one.rounds.mean for one in found if one.accuracy == goal}
        for goal in goals
    }
    return [goal for goal in goals if len(rounds[goal]) > 1] or goals[-1:]


def _reach_cells(name: str, goals: Sequence[float], found: Iterable[Reached]) -> list[Cell]:
    own = {one.accuracy: one for one in found if one.method == name}
    return [Cell(text=_reach(own.get(goal))) for goal in goals]


def _reach(one: Reached | None) -> str:
    if one is None or one.rounds is None or one.bytes_per_link is None:
        return MISSING
    return f"{one.rounds.mean:.0f} · {file_size(one.bytes_per_link)}"
