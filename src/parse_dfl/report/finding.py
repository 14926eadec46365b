"""What record a folder holds: a run, a comparison, or several comparisons."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from parse_dfl.errors import RecordError
from parse_dfl.report.fields import read_object
from parse_dfl.report.gathering import gather
from parse_dfl.report.reading import read_comparison, read_comparison_file, read_run
from parse_dfl.report.records import COMPARISON, METRICS, SUMMARY, Collection, Comparison, Record


def read_record(directory: Path) -> Record:
    """The run, comparison, folder of comparisons or folder of runs in ``directory``.

    In a folder of comparisons what cannot be read is left out and named in its ``problems``.

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
    found = sorted([*directory.glob(f"*/{COMPARISON}"), *_comparisons_as_files(directory)])
    if found:
        return _read_all(directory, found)
    runs = sorted(directory.glob(f"*/{SUMMARY}"))
    if runs:
        return _read_runs(directory, runs)
    raise RecordError(
        f"{directory} holds no record: a run leaves {SUMMARY} and {METRICS}, a comparison "
        f"{COMPARISON}; a folder of several has sub-folders with them, or files like {COMPARISON}"
    )


def _read_runs(directory: Path, paths: Sequence[Path]) -> Collection:
    runs, problems = [], []
    for path in paths:
        try:
            runs.append(read_run(path.parent))
        except RecordError as error:
            problems.append(str(error))
    if not runs:
        raise RecordError(f"none of the runs in {directory} can be read: {problems[0]}")
    return gather(directory, runs, problems)


def _comparisons_as_files(directory: Path) -> Iterator[Path]:
    """Comparisons that were copied out of their folders, as benchmarks keep them."""
    for path in directory.glob("*.json"):
        try:
            if isinstance(read_object(path).values.get("methods"), dict):
                yield path
        except RecordError:
            yield path  # damaged: to be named among the problems


def _read_all(directory: Path, paths: Sequence[Path]) -> Collection:
    comparisons, problems = [], []
    for path in paths:
        try:
            comparisons.append(read_comparison_file(path))
        except RecordError as error:
            problems.append(str(error))
    if not comparisons:
        raise RecordError(f"none of the comparisons in {directory} can be read: {problems[0]}")
    inside = [problem for one in comparisons for problem in one.problems]
    return Collection(
        directory=directory,
        comparisons=tuple(sorted(comparisons, key=lambda one: one.name)),
        problems=(*problems, *inside, *_mixed(comparisons)),
    )


def _mixed(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """What speaks against one table: different versions, or settings that only some know."""
    versions = sorted({one.version for one in comparisons if one.version})
    if len(versions) > 1:
        yield f"comparisons of versions {' and '.join(versions)} stand in one table"
    known: list[set[str]] = [set(_places(one.config)) for one in comparisons]
    odd = sorted(set().union(*known) - known[0].intersection(*known[1:]))
    if odd:
        shown = ", ".join(odd[:6]) + (", …" if len(odd) > 6 else "")
        yield f"written by different versions: only some of the comparisons have {shown}"


FREE_TABLES = ("method_options", "kind", "encoders")
"""Tables whose entries a user names: they may differ within one version."""


def _places(config: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in config.items():
        if isinstance(value, Mapping) and name not in FREE_TABLES:
            yield from _places(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"
