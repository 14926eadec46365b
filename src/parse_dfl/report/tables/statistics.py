"""Tabulate statistics: pairwise tests, their totals, and the cost of an accuracy."""

from __future__ import annotations

from collections.abc import Sequence

from parse_dfl.report.cells import KINDS, Cell, cells_of, of_kind, rankings
from parse_dfl.report.collection import Collection
from parse_dfl.report.formatting import (
    MISSING,
    Entry,
    Table,
    entries,
    file_size,
    percent_interval,
    signed_points,
)
from parse_dfl.report.load import MEAN, Comparison
from parse_dfl.report.pairwise import (
    OUTCOMES,
    PairwiseTest,
    pairwise_of_kind,
    pairwise_with_best,
    tally,
    unpaired,
)
from parse_dfl.report.statistics import interval
from parse_dfl.report.statistics_file import LEVELS, GapClosed, Reached, gaps_closed, reached

KIND_NAMES = {
    MEAN: "all agents",
    "unimodal": "unimodal agents",
    "multimodal": "multimodal agents",
}


def pairwise_table(record: Comparison | Collection) -> Table | None:
    """Return a row per cell, for all agents together."""
    return _pairwise_table(record, [MEAN], folded=False)


def group_pairwise_table(record: Comparison | Collection) -> Table | None:
    """Return a row per cell and modality set; folded where there are many."""
    is_many = isinstance(record, Collection)
    return _pairwise_table(record, [kind for kind in KINDS if kind != MEAN], folded=is_many)


def _pairwise_table(
    record: Comparison | Collection, kinds: Sequence[str], *, folded: bool
) -> Table | None:
    """Return the subject, its best rival, the difference, and what follows from it."""
    cells = cells_of(record)
    tests = [test for test in pairwise_with_best(cells) if test.cell.kind in kinds]
    if not tests:
        return None
    subject, upper = record.roles.subject, record.roles.upper
    scope = "all agents" if MEAN in kinds else "each agent group"
    return Table(
        title=f"{subject} against its best rival, {scope}",
        header=(
            "cell", "agents", str(subject), "best rival", "its accuracy", "difference", "p",
            "outcome",
        ),
        rows=tuple(map(_pairwise_row, tests)),
        notes=(
            "In percent and points. The difference is paired by seed, ± half its 95 % interval; p "
            "is Holm's, corrected over all cells of one kind (the mean, unimodal sets, multimodal "
            "sets).",
            "The best rival is picked by the same numbers that it is compared on, which favours "
            f"it. Controls and variants of {subject}{f' and {upper}' if upper else ''} are no "
            "rivals.",
            *(f"No difference for {text}." for text in unpaired(cells) if MEAN in kinds),
        ),
        folded=folded,
    )  # fmt: skip


def _pairwise_row(test: PairwiseTest) -> tuple[Entry, ...]:
    cell = test.cell
    return (
        *entries(
            (
                cell.comparison,
                "all" if cell.scope == MEAN else cell.scope,
                percent_interval(interval(cell.values[test.subject])),
                test.rival,
                percent_interval(interval(cell.values[test.rival])),
                signed_points(test.difference),
                MISSING if test.p_holm is None else f"{test.p_holm:.3f}",
            )
        ),
        Entry(text=test.outcome, best=test.outcome == "win"),
    )


def summary_table(collection: Collection) -> Table | None:
    """Return a row per kind of scope: wins, ties, losses, mean difference, mean rank."""
    cells = cells_of(collection)
    tests = pairwise_with_best(cells)
    rows = [
        _summary_row(kind, of_kind(cells, kind), of_this_kind)
        for kind in KINDS
        if (of_this_kind := pairwise_of_kind(tests, kind))
    ]
    if not rows:
        return None
    subject = collection.roles.subject
    return Table(
        title=f"{subject} against the best rival of each cell, summed up",
        header=("agents", "cells", "wins", "ties", "losses", "untested", "mean difference",
                "mean rank"),
        rows=tuple(map(entries, rows)),
        notes=(
            "Wins, ties and losses after Holm's correction over the cells of the row; in brackets "
            "before it. Untested are differences of one seed. Cells: those that hold "
            f"{subject} and a rival, of all.",
            f"The mean rank of {subject} is over the cells in brackets, those with all methods "
            "that compete; the table of accuracies names what is left out.",
            "The mean difference is over cells, in points, ± half its 95 % interval over cells.",
        ),
    )  # fmt: skip


def _summary_row(kind: str, cells: Sequence[Cell], tests: Sequence[PairwiseTest]) -> list[str]:
    counts, raw = tally(tests), tally(tests, corrected=False)
    *tested, untested = OUTCOMES
    return [
        KIND_NAMES[kind],
        f"{len(tests)} of {len(cells)}",
        *(f"{counts[name]} ({raw[name]})" for name in tested),
        str(counts[untested]),
        signed_points(interval([test.difference.mean for test in tests])),
        _rank(tests[0].subject, cells),
    ]


def _rank(subject: str, cells: Sequence[Cell]) -> str:
    ranking = next(iter(rankings(cells)), None)
    if ranking is None or subject not in ranking.ranks:
        return MISSING
    return f"{ranking.ranks[subject]:.2f} of {len(ranking.ranks)} ({ranking.over})"


def gaps_table(collection: Collection) -> Table | None:
    """Return each method's mean gap closed, per kind of scope."""
    gaps = {kind: gaps_closed(of_kind(cells_of(collection), kind)) for kind in KINDS}
    names = sorted(gaps[MEAN], key=lambda name: -gaps[MEAN][name].mean)
    if not names:
        return None
    lower, upper = collection.roles.lower, collection.roles.upper
    return Table(
        title=f"Gap closed between {lower} and {upper}",
        header=("method", *(KIND_NAMES[kind] for kind in KINDS)),
        rows=tuple(
            entries((name, *(_gap(gaps[kind].get(name)) for kind in KINDS))) for name in names
        ),
        notes=(
            f"(accuracy − {lower}) / ({upper} − {lower}), mean over the cells whose {upper} lies "
            f"at least 2 points above {lower} (in brackets how many).",
        ),
    )


def _gap(gap: GapClosed | None) -> str:
    return MISSING if gap is None else f"{gap.mean:.2f} ({gap.cells})"


def cost_table(comparison: Comparison, levels: Sequence[float] = LEVELS) -> Table | None:
    """Return a row per method: rounds and bytes per link to reach each mean accuracy."""
    costs = [cost for cost in reached(comparison, levels) if cost.scope == MEAN]
    goals = _telling(costs)
    if not goals:
        return None
    cost_of = {(cost.method, cost.accuracy): cost for cost in costs}
    methods = list(dict.fromkeys(cost.method for cost in costs))
    return Table(
        title="Rounds and bytes to reach an accuracy",
        header=("method", *(f"{100 * goal:g} %" for goal in goals)),
        rows=tuple(
            entries((name, *(_cost(cost_of.get((name, goal))) for goal in goals)))
            for name in methods
        ),
        notes=(
            "The first evaluated round at which the mean over all agents is there, and the bytes "
            "a link has carried by then; mean over seeds, a dash where a seed never is. Left out "
            "are accuracies that all methods had reached when they were first evaluated.",
        ),
    )


def _telling(costs: Sequence[Reached]) -> list[float]:
    """Return the accuracies that tell methods apart: not all reached them in the same round."""
    goals = sorted({cost.accuracy for cost in costs})
    rounds = {
        goal: {cost.rounds and cost.rounds.mean for cost in costs if cost.accuracy == goal}
        for goal in goals
    }
    return [goal for goal in goals if len(rounds[goal]) > 1] or goals[-1:]


def _cost(cost: Reached | None) -> str:
    if cost is None or cost.rounds is None or cost.bytes_per_link is None:
        return MISSING
    return f"{cost.rounds.mean:.0f} · {file_size(cost.bytes_per_link)}"
