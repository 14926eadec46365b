"""Single runs, read as the comparisons that they make together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from parse_dfl.report.records import Comparison, MethodResult, Run, Summary
from parse_dfl.report.units import counted

FREE = ("method", "seed")
"""Settings in which the runs of one comparison differ."""


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """The comparisons that runs make together, the unfinished runs, and what is left out."""

    comparisons: tuple[Comparison, ...]
    unfinished: tuple[Run, ...]
    problems: tuple[str, ...]


def gather(runs: Sequence[Run], known: Sequence[Run] = ()) -> Gathered:
    """Put finished runs that differ in nothing but method and seed into one comparison.

    The comparison bears the name of the first of its runs' folders.  A run of the same method,
    seed and settings as an earlier one, or as one of ``known``, is no further evidence, and is
    left out.
    """
    seen = {_identity(run): run for run in known if run.summary}
    groups: dict[str, list[Run]] = {}
    problems = []
    for run in runs:
        if run.summary is None:
            continue
        earlier = seen.setdefault(_identity(run), run)
        if earlier is run:
            groups.setdefault(_settings(run), []).append(run)
        else:
            problems.append(
                f"{run.directory} repeats {earlier.directory}: same method, seed and settings"
            )
    unfinished = tuple(run for run in runs if run.summary is None)
    problems += [
        f"{run.directory} is unfinished and takes no part in comparisons" for run in unfinished
    ]
    return Gathered(
        comparisons=tuple(map(_comparison, groups.values())),
        unfinished=unfinished,
        problems=tuple(problems),
    )


def _identity(run: Run) -> tuple[str, str, int]:
    assert run.summary
    return _settings(run), run.name, run.summary.seed


def _settings(run: Run) -> str:
    """Data and configuration of a finished run, but for what a comparison varies."""
    assert run.summary
    config = {name: value for name, value in run.summary.config.items() if name not in FREE}
    return json.dumps([run.summary.data, config], sort_keys=True)


def _comparison(runs: Sequence[Run]) -> Comparison:
    by_method: dict[str, list[Run]] = {}
    for run in runs:
        by_method.setdefault(run.name, []).append(run)
    first = runs[0].summary
    assert first
    others = f" and {counted(len(runs) - 1, 'more', 'more')}" if len(runs) > 1 else ""
    return Comparison(
        directory=runs[0].directory,
        name=f"{runs[0].directory.name}{others}",
        data=first.data,
        config={name: value for name, value in first.config.items() if name not in FREE},
        methods={
            name: _result([run.summary for run in own if run.summary])
            for name, own in by_method.items()
        },
        runs={name: tuple(own) for name, own in by_method.items()},
        is_gathered=True,
        problems=tuple(
            f"{runs[0].directory} and its like: not every seed of {name} has the groups {missing}"
            for name, own in by_method.items()
            if (missing := _missing({str(r.directory): r.summary for r in own if r.summary}))
        ),
    )


def _missing(summaries: Mapping[str, Summary]) -> str:
    """The groups that some of the runs lack."""
    first, *others = (set(summary.groups) for summary in summaries.values())
    return ", ".join(sorted(first.union(*others) - first.intersection(*others)))


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
