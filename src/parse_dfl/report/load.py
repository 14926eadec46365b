"""Find and load what a folder holds: a run, a comparison, or a collection of comparisons."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from parse_dfl.errors import RecordError
from parse_dfl.report.formatting import counted
from parse_dfl.report.reading import read_comparison, read_comparison_file, read_object, read_run
from parse_dfl.report.records import (
    COMPARISON,
    METRICS,
    SUMMARY,
    Collection,
    Comparison,
    MethodResult,
    Record,
    Run,
    Summary,
)

SINGLE = "single runs"


def labels_of(collection: Collection) -> tuple[str, ...]:
    """The data set of each comparison; its own name where two share a data set.

    Single runs are marked as such beside comparisons, and no two labels are equal.
    """
    data = [comparison.data for comparison in collection.comparisons]
    is_mixed = len({comparison.is_gathered for comparison in collection.comparisons}) > 1
    labels: list[str] = []
    for comparison in collection.comparisons:
        label = comparison.name if data.count(comparison.data) > 1 else comparison.data
        label += f" ({SINGLE})" if is_mixed and comparison.is_gathered else ""
        same = sum(other == label or other.startswith(f"{label} #") for other in labels)
        labels.append(f"{label} #{same + 1}" if same else label)
    return tuple(labels)


def read_record(directory: Path) -> Record:
    """The run, comparison, folder of comparisons or folder of runs in ``directory``.

    A folder may hold comparisons and runs side by side.  What cannot be read, is unfinished or
    lies further down is left out and named in its ``problems``.

    Raises:
        RecordError: there is no such folder, it holds no record, or none that can be read.
    """
    if not directory.is_dir():
        raise RecordError(f"{directory} is no folder; give the --out folder of a run or compare")
    readers: dict[str, Callable[[Path], Record]] = {
        COMPARISON: read_comparison,
        SUMMARY: read_run,
        METRICS: read_run,
    }
    for file, reader in readers.items():
        if (directory / file).exists():
            return reader(directory)
    comparisons = sorted([*directory.glob(f"*/{COMPARISON}"), *_comparisons_as_files(directory)])
    runs = _run_folders(directory)
    if comparisons or runs:
        return _read_all(directory, comparisons, runs)
    raise RecordError(
        f"{directory} holds no record: a run leaves {SUMMARY} and {METRICS}, a comparison "
        f"{COMPARISON}; a folder of several has sub-folders with them, or files like {COMPARISON}"
    )


def _comparisons_as_files(directory: Path) -> Iterator[Path]:
    """Comparisons that were copied out of their folders, as benchmarks keep them."""
    for path in directory.glob("*.json"):
        if path.name == STATISTICS:
            continue
        try:
            if isinstance(read_object(path).values.get("methods"), dict):
                yield path
        except RecordError:
            yield path  # damaged: to be named among the problems


def _run_folders(directory: Path) -> list[Path]:
    """The folders of single runs, finished or not."""
    found = {path.parent for name in (SUMMARY, METRICS) for path in directory.glob(f"*/{name}")}
    return sorted(folder for folder in found if not (folder / COMPARISON).exists())


def _deeper(directory: Path) -> Iterator[str]:
    """Records that a report of ``directory`` does not look at."""
    for folder in sorted(path for path in directory.iterdir() if path.is_dir()):
        if any((folder / name).exists() for name in (COMPARISON, SUMMARY, METRICS)):
            continue
        if any(folder.glob(f"*/seed-*/{METRICS}")):
            yield f"{folder} is a comparison of which no method is finished, and takes no part"
        elif any(
            path for name in (COMPARISON, SUMMARY, METRICS) for path in folder.glob(f"*/{name}")
        ):
            yield f"{folder} holds records further down; give it to a report of its own"


Read = TypeVar("Read")


def _readable(
    reader: Callable[[Path], Read], paths: Sequence[Path]
) -> tuple[list[Read], list[str]]:
    found, problems = [], []
    for path in paths:
        try:
            found.append(reader(path))
        except RecordError as error:
            problems.append(str(error))
    return found, problems


def _read_all(directory: Path, paths: Sequence[Path], folders: Sequence[Path]) -> Collection:
    comparisons, problems = _readable(read_comparison_file, paths)
    runs, unread = _readable(read_run, folders)
    problems += unread
    if not comparisons and not runs:
        kind = "comparisons" if paths else "runs"
        raise RecordError(f"none of the {kind} in {directory} can be read: {problems[0]}")
    inside_of = [run for one in comparisons for own in one.runs.values() for run in own]
    single = gather(runs, inside_of)
    every = [*sorted(comparisons, key=lambda one: one.name), *single.comparisons]
    if not every:
        raise RecordError(
            f"none of the runs in {directory} is finished; report each by itself, or carry on "
            "with --resume"
        )
    inside = [problem for one in every for problem in one.problems]
    return Collection(
        directory=directory,
        comparisons=tuple(every),
        unfinished=single.unfinished,
        problems=(
            *problems,
            *single.problems,
            *inside,
            *_deeper(directory),
            *_mixed(every),
        ),
    )


def _mixed(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """What speaks against one table: different versions, or settings that only some know."""
    versions = sorted({one.version for one in comparisons if one.version})
    if len(versions) > 1:
        yield f"comparisons of versions {' and '.join(versions)} stand in one table"
    known: list[set[str]] = [set(_places(one.config)) - set(FREE) for one in comparisons]
    odd = sorted(set().union(*known) - known[0].intersection(*known[1:]))
    if odd:
        shown = ", ".join(odd[:6]) + (", …" if len(odd) > 6 else "")
        yield f"written by different versions: only some of the comparisons have {shown}"


STATISTICS = "statistics.json"
"""What a report itself leaves in the folder."""

FREE_TABLES = ("method_options", "kind", "encoders")
"""Tables whose entries a user names: they may differ within one version."""


def _places(config: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in config.items():
        if isinstance(value, Mapping) and name not in FREE_TABLES:
            yield from _places(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


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
