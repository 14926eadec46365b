"""A folder of runs, read as the comparisons that they make together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from parse_dfl.report.records import Collection, Comparison, MethodResult, Run, Summary

FREE = ("method", "seed")
"""Settings in which the runs of one comparison differ."""


def gather(directory: Path, runs: Sequence[Run], problems: Sequence[str]) -> Collection:
    """Finished runs that differ in nothing but method and seed stand in one comparison.

    The comparison bears the name of the first of its runs' folders.
    """
    groups: dict[str, list[Run]] = {}
    for run in runs:
        if run.summary:
            config = {k: v for k, v in run.summary.config.items() if k not in FREE}
            groups.setdefault(json.dumps(config, sort_keys=True), []).append(run)
    unfinished = [
        f"{run.directory} is unfinished and takes no part" for run in runs if run.summary is None
    ]
    return Collection(
        directory=directory,
        comparisons=tuple(_comparison(directory, own) for own in groups.values()),
        problems=(*problems, *unfinished),
    )


def _comparison(directory: Path, runs: Sequence[Run]) -> Comparison:
    by_method: dict[str, list[Run]] = {}
    for run in runs:
        by_method.setdefault(run.name, []).append(run)
    first = runs[0].summary
    assert first
    return Comparison(
        directory=directory,
        name=runs[0].directory.name,
        data=first.data,
        config={name: value for name, value in first.config.items() if name not in FREE},
        methods={
            name: _result([run.summary for run in own if run.summary])
            for name, own in by_method.items()
        },
        runs={name: tuple(own) for name, own in by_method.items()},
    )


def _result(summaries: Sequence[Summary]) -> MethodResult:
    ordered = sorted(summaries, key=lambda summary: summary.seed)
    groups = ordered[0].groups
    return MethodResult(
        seeds=tuple(summary.seed for summary in ordered),
        groups={
            group: tuple(summary.groups[group].accuracy for summary in ordered)
            for group in groups
            if all(group in summary.groups for summary in ordered)
        },
        mean_accuracy=tuple(summary.mean_accuracy for summary in ordered),
        payload_bytes_per_link=sum(s.payload_bytes_per_link for s in ordered) / len(ordered),
        seconds=sum(summary.wall_seconds for summary in ordered),
        diverged={summary.seed: summary.diverged for summary in ordered if summary.diverged},
    )
