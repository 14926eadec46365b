"""Rounds and bytes that a method needs to reach an accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from parse_dfl.report.cells import MEAN
from parse_dfl.report.records import Comparison, Run
from parse_dfl.report.statistics import Interval, interval

LEVELS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""The accuracies that are asked for unless told otherwise."""


@dataclass(frozen=True, kw_only=True)
class Reached:
    """When a method first reached ``accuracy`` in one scope, over the seeds that did.

    ``rounds`` and ``bytes_per_link`` are None where not every seed did: a mean over the quick
    ones alone would flatter.
    """

    method: str
    scope: str
    accuracy: float
    seeds_reached: int
    seeds: int
    rounds: Interval | None
    bytes_per_link: float | None
    bytes_in_all: float | None


def reached(comparison: Comparison, levels: Sequence[float] = LEVELS) -> list[Reached]:
    """Every method, scope and level that some method reached with some seed.

    A round is the first *evaluated* one, so that ``--eval-every`` is the resolution.  Bytes are
    rounds times the run's mean per round: for a method that sends more in one stage than in
    another (Harmony) an approximation.  Empty where the runs' folders are not there.
    """
    found = [
        _reached(method, runs, scope, level)
        for scope in (MEAN, *comparison.groups)
        for level in levels
        for method, all_runs in comparison.runs.items()
        if (runs := [run for run in all_runs if run.summary and run.history])
    ]
    known = {(one.scope, one.accuracy) for one in found if one.seeds_reached}
    return [one for one in found if (one.scope, one.accuracy) in known]


def curve_of(run: Run, scope: str) -> dict[int, float]:
    """Evaluated round → accuracy of one modality set, or of all agents (:data:`MEAN`)."""
    assert run.summary is not None
    if scope != MEAN:
        return {line.round: line.accuracy for line in run.history if line.group == scope}
    agents = {group: result.agents for group, result in run.summary.groups.items()}
    sums: dict[int, float] = {}
    for line in run.history:
        share = agents.get(line.group, 0) / sum(agents.values())
        sums[line.round] = sums.get(line.round, 0.0) + share * line.accuracy
    return sums


def _reached(method: str, runs: Sequence[Run], scope: str, level: float) -> Reached:
    firsts: list[float] = []
    for run in runs:
        rounds = [round for round, value in curve_of(run, scope).items() if value >= level]
        firsts += [min(rounds)] if rounds else []
    needed = interval(firsts) if len(firsts) == len(runs) else None
    summaries = [run.summary for run in runs if run.summary]
    per_link = sum(one.payload_bytes_per_link for one in summaries) / len(summaries)
    in_all = sum(one.payload_bytes_per_round for one in summaries) / len(summaries)
    return Reached(
        method=method,
        scope=scope,
        accuracy=level,
        seeds_reached=len(firsts),
        seeds=len(runs),
        rounds=needed,
        bytes_per_link=None if needed is None else needed.mean * per_link,
        bytes_in_all=None if needed is None else needed.mean * in_all,
    )
