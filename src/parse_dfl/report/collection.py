"""Read a folder of comparisons and of single runs, which become comparisons of their own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from parse_dfl.errors import RecordError
from parse_dfl.io import load_json
from parse_dfl.records import COMPARISON, METRICS, NO_ROLES, STATISTICS, SUMMARY, Roles, Summary
from parse_dfl.report.formatting import counted
from parse_dfl.report.load import Comparison, MethodResult, Run, read_comparison, read_run

SINGLE = "single runs"
MARKS = (COMPARISON, SUMMARY, METRICS)
"""A folder that holds one of these holds a record."""
FREE = ("method", "seed")
"""Settings in which the runs of one comparison differ."""
FREE_TABLES = ("method_options", "kind", "encoders")
"""Tables whose entries a user names: they may differ within one version."""


@dataclass(frozen=True, kw_only=True)
class Collection:
    """A folder of comparisons, in the order of their names, and of single runs put together.

    ``unfinished`` runs take no part in them.  ``problems`` say what in the folder could not be
    read, is left out, or does not belong together.
    """

    directory: Path
    comparisons: tuple[Comparison, ...]
    unfinished: tuple[Run, ...] = ()
    problems: tuple[str, ...] = ()
    roles: Roles = NO_ROLES

    @property
    def converged(self) -> Collection:
        """The collection without the methods that have diverged in a seed of a comparison."""
        comparisons = [one.converged for one in self.comparisons]
        return replace(self, comparisons=tuple(one for one in comparisons if one.methods))

    @property
    def labels(self) -> tuple[str, ...]:
        """The data set of each comparison; its own name where two share a data set.

        Single runs are marked as such beside comparisons, and no two labels are equal.
        """
        data = [comparison.data for comparison in self.comparisons]
        is_mixed = len({comparison.is_gathered for comparison in self.comparisons}) > 1
        labels: list[str] = []
        for comparison in self.comparisons:
            label = comparison.name if data.count(comparison.data) > 1 else comparison.data
            label += f" ({SINGLE})" if is_mixed and comparison.is_gathered else ""
            same = sum(other == label or other.startswith(f"{label} #") for other in labels)
            labels.append(f"{label} #{same + 1}" if same else label)
        return tuple(labels)


Record = Run | Comparison | Collection


def labelled(record: Comparison | Collection) -> list[tuple[str, Comparison]]:
    """Return a record's comparisons, each with its label."""
    if isinstance(record, Comparison):
        return [(record.data, record)]
    return list(zip(record.labels, record.comparisons, strict=True))


def read_folder(directory: Path, roles: Roles = NO_ROLES) -> Record:
    """Read the run, comparison, folder of comparisons or folder of runs in ``directory``.

    A folder may hold comparisons and runs side by side.  What cannot be read, is unfinished or
    lies further down is left out and named in its ``problems``.

    Raises:
        RecordError: there is no such folder, it holds no record, or none that can be read.
    """
    if not directory.is_dir():
        raise RecordError(f"{directory} is no folder; give the --out folder of a run or compare")
    if (directory / COMPARISON).exists():
        return read_comparison(directory, roles)
    if (directory / SUMMARY).exists() or (directory / METRICS).exists():
        return read_run(directory, roles)
    comparisons = sorted([*directory.glob(f"*/{COMPARISON}"), *_comparison_files(directory)])
    runs = _run_folders(directory)
    if comparisons or runs:
        return _read_all(directory, comparisons, runs, roles)
    raise RecordError(
        f"{directory} holds no record: a run leaves {SUMMARY} and {METRICS}, a comparison "
        f"{COMPARISON}; a folder of several has sub-folders with them, or files like {COMPARISON}"
    )


def _comparison_files(directory: Path) -> Iterator[Path]:
    """Find comparisons that were copied out of their folders, as studies keep them."""
    for path in directory.glob("*.json"):
        if path.name == STATISTICS:
            continue
        try:
            if isinstance(load_json(path).get("methods"), dict):
                yield path
        except RecordError:
            yield path  # damaged: to be named among the problems


def _run_folders(directory: Path) -> list[Path]:
    """Find the folders of single runs, finished or not."""
    folders = {path.parent for name in (SUMMARY, METRICS) for path in directory.glob(f"*/{name}")}
    return sorted(folder for folder in folders if not (folder / COMPARISON).exists())


def _deeper(directory: Path) -> Iterator[str]:
    """Name records that a report of ``directory`` does not look at."""
    for folder in sorted(path for path in directory.iterdir() if path.is_dir()):
        if any((folder / name).exists() for name in MARKS):
            continue
        if any(folder.glob(f"*/seed-*/{METRICS}")):
            yield f"{folder} is a comparison of which no method is finished, and takes no part"
        elif any(path for name in MARKS for path in folder.glob(f"*/{name}")):
            yield f"{folder} holds records further down; give it to a report of its own"


T = TypeVar("T")


def _readable(
    read: Callable[[Path, Roles], T], paths: Sequence[Path], roles: Roles
) -> tuple[list[T], list[str]]:
    """Read what can be read, and say why the rest cannot."""
    records, problems = [], []
    for path in paths:
        try:
            records.append(read(path, roles))
        except RecordError as error:
            problems.append(str(error))
    return records, problems


def _read_all(
    directory: Path, paths: Sequence[Path], folders: Sequence[Path], roles: Roles
) -> Collection:
    compared, problems = _readable(read_comparison, paths, roles)
    runs, unread = _readable(read_run, folders, roles)
    problems += unread
    if not compared and not runs:
        kind = "comparisons" if paths else "runs"
        raise RecordError(f"none of the {kind} in {directory} can be read: {problems[0]}")
    inside = [run for one in compared for seeds in one.runs.values() for run in seeds]
    gathered, repeated = gather(runs, inside)
    comparisons = [*sorted(compared, key=lambda one: one.name), *gathered]
    if not comparisons:
        raise RecordError(
            f"none of the runs in {directory} is finished; report each by itself, or carry on "
            "with --resume"
        )
    unfinished = tuple(run for run in runs if run.summary is None)
    return Collection(
        directory=directory,
        comparisons=tuple(comparisons),
        unfinished=unfinished,
        problems=(
            *problems,
            *repeated,
            *(f"{run.directory} is unfinished and takes no part in comparisons"
              for run in unfinished),
            *(problem for one in comparisons for problem in one.problems),
            *_deeper(directory),
            *_mixed(comparisons),
        ),
        roles=roles,
    )  # fmt: skip


def _mixed(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """Say what speaks against one table: different versions, or settings that only some have."""
    versions = sorted({one.version for one in comparisons if one.version})
    if len(versions) > 1:
        yield f"comparisons of versions {' and '.join(versions)} stand in one table"
    settings: list[set[str]] = [set(_settings(one.config)) - set(FREE) for one in comparisons]
    odd = sorted(set().union(*settings) - settings[0].intersection(*settings[1:]))
    if odd:
        shown = ", ".join(odd[:6]) + (", …" if len(odd) > 6 else "")
        yield f"written by different versions: only some of the comparisons have {shown}"


def _settings(config: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in config.items():
        if isinstance(value, Mapping) and name not in FREE_TABLES:
            yield from _settings(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def gather(runs: Sequence[Run], others: Sequence[Run] = ()) -> tuple[list[Comparison], list[str]]:
    """Put finished runs that differ in nothing but method and seed into one comparison.

    The comparison bears the name of the first of its runs' folders.  A run of the same method,
    seed and settings as an earlier one, or as one of ``others``, is no further evidence, and is
    left out.

    Returns:
        The comparisons, and which runs repeat which.
    """
    seen = {_identity(run.summary): run for run in others if run.summary}
    groups: dict[str, list[tuple[Run, Summary]]] = {}
    problems = []
    for run in runs:
        if run.summary is None:
            continue
        identity = _identity(run.summary)
        earlier = seen.setdefault(identity, run)
        if earlier is run:
            groups.setdefault(identity[0], []).append((run, run.summary))
        else:
            problems.append(
                f"{run.directory} repeats {earlier.directory}: same method, seed and settings"
            )
    return list(map(_comparison, groups.values())), problems


def _identity(summary: Summary) -> tuple[str, str, int]:
    """Return the experiment, the method and the seed of a run."""
    experiment = json.dumps([summary.data, _shared(summary)], sort_keys=True)
    return experiment, summary.method, summary.seed


def _shared(summary: Summary) -> dict[str, Any]:
    """Return the configuration of a run, but for what a comparison varies."""
    return {name: value for name, value in summary.config.items() if name not in FREE}


def _comparison(runs: Sequence[tuple[Run, Summary]]) -> Comparison:
    by_method: dict[str, list[tuple[Run, Summary]]] = {}
    for run, summary in runs:
        by_method.setdefault(summary.method, []).append((run, summary))
    first, summary = runs[0]
    others = f" and {counted(len(runs) - 1, 'more', 'more')}" if len(runs) > 1 else ""
    return Comparison(
        directory=first.directory,
        name=f"{first.directory.name}{others}",
        data=summary.data,
        config=_shared(summary),
        methods={name: _result([one for _, one in seeds]) for name, seeds in by_method.items()},
        runs={name: tuple(run for run, _ in seeds) for name, seeds in by_method.items()},
        is_gathered=True,
        problems=tuple(
            f"{first.directory} and its like: not every seed of {name} has the groups {missing}"
            for name, seeds in by_method.items()
            if (missing := _missing([one for _, one in seeds]))
        ),
        roles=first.roles,
    )


def _missing(summaries: Sequence[Summary]) -> str:
    """Name the groups that some of the runs lack."""
    first, *others = (set(summary.groups) for summary in summaries)
    return ", ".join(sorted(first.union(*others) - first.intersection(*others)))


def _result(summaries: Sequence[Summary]) -> MethodResult:
    ordered = sorted(summaries, key=lambda summary: summary.seed)
    payloads = [summary.payload_bytes_per_link.mean for summary in ordered]
    return MethodResult(
        seeds=tuple(summary.seed for summary in ordered),
        groups={
            group: tuple(summary.groups[group].accuracy for summary in ordered)
            for group in ordered[0].groups
            if all(group in summary.groups for summary in ordered)
        },
        mean_accuracy=tuple(summary.mean_accuracy for summary in ordered),
        payload_bytes_per_link=sum(payloads) / len(payloads),
        seconds=sum(summary.wall_seconds for summary in ordered),
        diverged={summary.seed: summary.diverged for summary in ordered if summary.diverged},
    )
