"""Write ``statistics.json``: all numbers of the page, for programs (docs/statistics.md)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from parse_dfl.io import json_text, to_plain, write_atomically
from parse_dfl.records import STATISTICS, Estimate, SeedValues
from parse_dfl.report.cells import (
    KINDS,
    Cell,
    Ranking,
    cells_of,
    diverged_sentences,
    of_kind,
    rankings,
)
from parse_dfl.report.collection import Collection, labelled
from parse_dfl.report.load import MEAN, Comparison, Run
from parse_dfl.report.pairwise import (
    PairwiseTest,
    pairwise_of_kind,
    pairwise_with_all,
    pairwise_with_best,
    tally,
    unpaired,
)
from parse_dfl.report.statistics import interval, seed_values

LEVELS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""The accuracies whose cost is asked for unless others are given."""


@dataclass(frozen=True, kw_only=True)
class MethodStatistics(SeedValues):
    """A method's accuracies in a cell, and the gap that it closes, None where there is none."""

    gap_closed: float | None


@dataclass(frozen=True, kw_only=True)
class BestRival:
    """The subject against its best rival in a cell."""

    rival: str
    difference: Estimate
    p: float | None
    p_holm: float | None
    outcome: str


@dataclass(frozen=True, kw_only=True)
class CellStatistics:
    """One comparison and scope."""

    cell: str
    scope: str
    kind: str
    methods: Mapping[str, MethodStatistics]
    diverged: tuple[str, ...]
    against_best_rival: BestRival | None


@dataclass(frozen=True, kw_only=True)
class Loss:
    """A cell in which a rival is significantly ahead."""

    cell: str
    scope: str
    rival: str


@dataclass(frozen=True, kw_only=True)
class GapClosed:
    """The mean of a method's gaps closed, and over how many cells."""

    mean: float
    cells: int


@dataclass(frozen=True, kw_only=True)
class Family:
    """What the cells of one kind say together; ``mean_rank`` is of the first ranking."""

    cells: int
    against_best_rival: Mapping[str, int]
    against_best_rival_uncorrected: Mapping[str, int]
    mean_difference: float | None
    behind_any_rival: tuple[Loss, ...]
    mean_rank: Mapping[str, float]
    rankings: tuple[Ranking, ...]
    gap_closed: Mapping[str, GapClosed]


@dataclass(frozen=True, kw_only=True)
class Reached:
    """When a method first reached ``accuracy`` in one scope, over the seeds that did.

    ``rounds`` and bytes are None where not every seed did: a mean over the quick ones alone
    would flatter.
    """

    cell: str
    method: str
    scope: str
    accuracy: float
    seeds_reached: int
    seeds: int
    rounds: Estimate | None
    bytes_per_link: float | None
    bytes_in_all: float | None


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """The content of ``statistics.json``."""

    ours: str | None
    summary: Mapping[str, Family]
    cells: tuple[CellStatistics, ...]
    reached: tuple[Reached, ...]
    problems: tuple[str, ...]
    unpaired: tuple[str, ...]


def write_statistics(
    record: Comparison | Collection, levels: Sequence[float] = LEVELS
) -> Statistics:
    """Write the statistics of a record beside its page, and return them.

    Raises:
        OutputError: the folder cannot be written to.
    """
    statistics = statistics_of(record, levels)
    text = json_text(to_plain(statistics), indent=1)
    write_atomically(record.directory / STATISTICS, f"{text}\n".encode())
    return statistics


def statistics_of(record: Comparison | Collection, levels: Sequence[float] = LEVELS) -> Statistics:
    """Compute everything that is said about a record in numbers."""
    cells = cells_of(record)
    best, every = pairwise_with_best(cells), pairwise_with_all(cells)
    by_cell = {id(test.cell): test for test in best}
    return Statistics(
        ours=record.roles.subject,
        summary={
            kind: _family(
                of_kind(cells, kind), pairwise_of_kind(best, kind), pairwise_of_kind(every, kind)
            )
            for kind in KINDS
        },
        cells=tuple(_cell(cell, by_cell.get(id(cell))) for cell in cells),
        reached=tuple(
            entry
            for label, comparison in labelled(record)
            for entry in reached(comparison, levels, label=label)
        ),
        problems=(*record.problems, *diverged_sentences(record)),
        unpaired=tuple(unpaired(cells)),
    )


def _family(
    cells: Sequence[Cell], best: Sequence[PairwiseTest], every: Sequence[PairwiseTest]
) -> Family:
    ranked = rankings(cells)
    return Family(
        cells=len(cells),
        against_best_rival=tally(best),
        against_best_rival_uncorrected=tally(best, corrected=False),
        mean_difference=float(np.mean([test.difference.mean for test in best])) if best else None,
        behind_any_rival=tuple(
            Loss(cell=test.cell.comparison, scope=test.cell.scope, rival=test.rival)
            for test in every
            if test.outcome == "loss"
        ),
        mean_rank=ranked[0].ranks if ranked else {},
        rankings=tuple(ranked),
        gap_closed=gaps_closed(cells),
    )


def gaps_closed(cells: Sequence[Cell]) -> dict[str, GapClosed]:
    """Return each method's mean gap closed, over the cells in which it is defined."""
    closed = {
        name: [gap for cell in cells if (gap := cell.gap_closed(name)) is not None]
        for name in sorted({name for cell in cells for name in cell.values})
    }
    return {
        name: GapClosed(mean=float(np.mean(gaps)), cells=len(gaps))
        for name, gaps in closed.items()
        if gaps
    }


def _cell(cell: Cell, test: PairwiseTest | None) -> CellStatistics:
    return CellStatistics(
        cell=cell.comparison,
        scope=cell.scope,
        kind=cell.kind,
        methods={
            name: MethodStatistics(**vars(seed_values(values)), gap_closed=cell.gap_closed(name))
            for name, values in cell.values.items()
        },
        diverged=cell.diverged,
        against_best_rival=None if test is None else _best_rival(test),
    )


def _best_rival(test: PairwiseTest) -> BestRival:
    return BestRival(
        rival=test.rival,
        difference=test.difference.estimate,
        p=test.p,
        p_holm=test.p_holm,
        outcome=test.outcome,
    )


def reached(
    comparison: Comparison, levels: Sequence[float] = LEVELS, *, label: str = ""
) -> Iterator[Reached]:
    """Yield every method, scope and level that some method reached with some seed.

    A round is the first *evaluated* one, so that ``--eval-every`` is the resolution.  Bytes are
    rounds times the run's mean per round: for a method that sends more in one stage than in
    another an approximation.  Empty where the runs' folders are not there.
    """
    finished = {
        method: done
        for method, runs in comparison.runs.items()
        if (done := [run for run in runs if run.summary and run.history])
    }
    for scope in (MEAN, *comparison.groups):
        curves = {name: [run.curve(scope) for run in runs] for name, runs in finished.items()}
        for level in levels:
            firsts = {
                name: [
                    min(rounds)
                    for curve in seeds
                    if (rounds := [r for r, accuracy in curve.items() if accuracy >= level])
                ]
                for name, seeds in curves.items()
            }
            if any(firsts.values()):
                for name, runs in finished.items():
                    yield _reached(label, name, runs, scope, level, firsts[name])


def _reached(
    label: str, method: str, runs: Sequence[Run], scope: str, level: float, firsts: Sequence[int]
) -> Reached:
    rounds = interval(firsts) if len(firsts) == len(runs) else None
    summaries = [run.summary for run in runs if run.summary]
    per_link = np.mean([one.payload_bytes_per_link.mean for one in summaries])
    in_all = np.mean([one.payload_bytes_per_round for one in summaries])
    return Reached(
        cell=label,
        method=method,
        scope=scope,
        accuracy=level,
        seeds_reached=len(firsts),
        seeds=len(runs),
        rounds=None if rounds is None else rounds.estimate,
        bytes_per_link=None if rounds is None else float(rounds.mean * per_link),
        bytes_in_all=None if rounds is None else float(rounds.mean * in_all),
    )
