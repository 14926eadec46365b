"""What record a folder holds: a run, a comparison, or several comparisons."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from parse_dfl.errors import RecordError
from parse_dfl.report.fields import read_object
from parse_dfl.report.gathering import FREE, gather
from parse_dfl.report.reading import read_comparison, read_comparison_file, read_run
from parse_dfl.report.records import COMPARISON, METRICS, SUMMARY, Collection, Comparison, Record


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
