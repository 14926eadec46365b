"""Read a run or a comparison from its folder."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parse_dfl.errors import RecordError
from parse_dfl.io import read_lines, read_record
from parse_dfl.records import (
    COMPARISON,
    METRICS,
    NO_ROLES,
    SLICES,
    SUMMARY,
    ComparisonRecord,
    Divergence,
    MethodRecord,
    MetricsLine,
    Roles,
    Summary,
)
from parse_dfl.text import whole

SLICE_KINDS = ("redundant", "unique", "synergistic")
MEAN = "mean"
"""The scope of all agents; other scopes are modality sets."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run's folder; ``summary`` is None while the run is unfinished."""

    directory: Path
    summary: Summary | None
    history: tuple[MetricsLine, ...]
    roles: Roles = NO_ROLES

    @property
    def name(self) -> str:
        """The method, or the folder's name while the run is unfinished."""
        return self.summary.method if self.summary else self.directory.resolve().name

    @property
    def runs(self) -> Mapping[str, tuple[Run, ...]]:
        """The run under its name: what :attr:`Comparison.runs` is for many."""
        return {self.name: (self,)}

    def curve(self, scope: str) -> dict[int, float]:
        """Return evaluated round → accuracy of one modality set, or of all agents (:data:`MEAN`).

        The run must be finished: its summary says how many agents a set has.
        """
        assert self.summary is not None, self.directory
        if scope != MEAN:
            return {line.round: line.accuracy for line in self.history if line.group == scope}
        agents = {group: result.agents for group, result in self.summary.groups.items()}
        total = sum(agents.values())
        sums: dict[int, float] = {}
        for line in self.history:
            weight = agents.get(line.group, 0) / total
            sums[line.round] = sums.get(line.round, 0.0) + weight * line.accuracy
        return sums


@dataclass(frozen=True, kw_only=True)
class MethodResult:
    """One method's final accuracies, 0 to 1, in the order of ``seeds``; ``diverged`` by seed."""

    seeds: tuple[int, ...]
    groups: Mapping[str, tuple[float, ...]]
    mean_accuracy: tuple[float, ...]
    payload_bytes_per_link: float
    seconds: float
    diverged: Mapping[int, Divergence] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A comparison; ``runs`` holds those of its runs that left a record, by method.

    ``name`` is its folder's or file's; ``problems`` say what of it could not be read or is left
    out; ``is_gathered``: it was not run as a comparison, but put together from single runs.
    """

    directory: Path
    name: str
    data: str
    methods: Mapping[str, MethodResult]
    runs: Mapping[str, tuple[Run, ...]] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    version: str | None = None
    problems: tuple[str, ...] = ()
    is_gathered: bool = False
    roles: Roles = NO_ROLES

    @property
    def diverged(self) -> tuple[str, ...]:
        """The methods that have diverged in a seed."""
        return tuple(name for name, result in self.methods.items() if result.diverged)

    @property
    def converged(self) -> Comparison:
        """The comparison without the methods that have diverged in a seed."""
        methods = {name: result for name, result in self.methods.items() if not result.diverged}
        runs = {name: runs for name, runs in self.runs.items() if name in methods}
        return replace(self, methods=methods, runs=runs)

    @property
    def groups(self) -> tuple[str, ...]:
        """Every modality set, the smallest first."""
        return ordered_groups(group for result in self.methods.values() for group in result.groups)


def ordered_groups(keys: Iterable[str]) -> tuple[str, ...]:
    """Return modality sets without repeats, those of fewer modalities first, then by name."""
    return tuple(sorted(set(keys), key=lambda group: (group.count("+"), group)))


def runs_of(record: Run | Comparison) -> tuple[Run, ...]:
    """Return every run of a record, those of the method in question first."""
    methods = sorted(record.runs, key=lambda method: method != record.roles.subject)
    return tuple(run for method in methods for run in record.runs[method])


def read_run(directory: Path, roles: Roles = NO_ROLES) -> Run:
    """Read a run, finished or not.

    Raises:
        RecordError: a file of its is damaged, or of a former format.
    """
    path = directory / SUMMARY
    summary = read_record(path, Summary) if path.exists() else None
    history = read_lines(directory / METRICS, MetricsLine, finished=summary is not None)
    return Run(directory=directory, summary=summary, history=history, roles=roles)


def read_comparison(path: Path, roles: Roles = NO_ROLES) -> Comparison:
    """Read a comparison from its folder, with those of its runs that can be read, or from a file.

    Raises:
        RecordError: the file is damaged, or of a former format.
    """
    path = path / COMPARISON if path.is_dir() else path
    record = read_record(path, ComparisonRecord)
    if not record.methods:
        raise RecordError(f"{path} compares no methods; run it again")
    methods = {name: _result(entry, record.seeds) for name, entry in record.methods.items()}
    in_folder = path.name == COMPARISON
    problems = [*_beside(path.parent, methods)] if in_folder else []
    runs = {}
    for name in methods if in_folder else ():
        runs[name], unread = _runs(path.parent / name, roles)
        problems += unread
    return Comparison(
        directory=path.parent,
        name=path.resolve().parent.name if in_folder else path.stem,
        data=record.data,
        config=record.config,
        methods=methods,
        runs={name: seeds for name, seeds in runs.items() if seeds},
        version=record.version,
        problems=(*problems, *_uneven(path, methods)),
        roles=roles,
    )


def _result(entry: MethodRecord, seeds: tuple[int, ...]) -> MethodResult:
    """Return a method's accuracies; one that has fewer seeds than others so far names its own."""
    accuracies = entry.mean_accuracy.values
    seeds = seeds if entry.seeds is None else entry.seeds
    return MethodResult(
        seeds=seeds if len(seeds) == len(accuracies) else tuple(range(len(accuracies))),
        groups={group: scores.accuracy.values for group, scores in entry.groups.items()},
        mean_accuracy=accuracies,
        payload_bytes_per_link=entry.payload_bytes_per_link.mean,
        seconds=entry.seconds,
        diverged={int(seed): since for seed, since in (entry.diverged or {}).items()},
    )


def _runs(directory: Path, roles: Roles) -> tuple[tuple[Run, ...], list[str]]:
    """Return the runs of one method, and why some of them cannot be read."""
    numbers = {
        number: folder
        for folder in directory.glob("seed-*")
        if (number := whole(folder.name.removeprefix("seed-"))) is not None
        if any((folder / name).exists() for name in (SUMMARY, METRICS))
    }
    runs, problems = [], []
    for _, folder in sorted(numbers.items()):
        try:
            runs.append(read_run(folder, roles))
        except RecordError as error:
            problems.append(str(error))
    return tuple(runs), problems


def _beside(directory: Path, methods: Mapping[str, MethodResult]) -> Iterator[str]:
    """Name what lies in a comparison's folder without being part of it."""
    for folder in sorted(path for path in directory.iterdir() if path.is_dir()):
        if folder.name in methods:
            continue
        if any(folder.glob(f"seed-*/{METRICS}")) or any(folder.glob(f"seed-*/{SUMMARY}")):
            yield (
                f"{folder} holds runs of a method that {COMPARISON} lacks, which take no part: the "
                "comparison is unfinished, carry on with --resume"
            )
        elif any((folder / name).exists() for name in (COMPARISON, SUMMARY, METRICS)):
            yield (
                f"{folder} lies in a comparison's folder without being part of it; give it to a "
                "report of its own"
            )


def _uneven(path: Path, methods: Mapping[str, MethodResult]) -> Iterator[str]:
    """Name methods that lack seeds or groups which others have."""
    seeds = sorted({seed for result in methods.values() for seed in result.seeds})
    groups = ordered_groups(group for result in methods.values() for group in result.groups)
    for name, result in methods.items():
        missing = [str(seed) for seed in seeds if seed not in result.seeds]
        if missing:
            yield (
                f"{path}: {name} lacks seed {', '.join(missing)}; differences are over the seeds "
                "that both methods have"
            )
        lacking = [group for group in groups if group not in result.groups]
        if lacking:
            yield f"{path}: {name} has no accuracy of {', '.join(lacking)}"
        lengths = {len(values) for values in result.groups.values()} | {len(result.seeds)}
        if len(lengths) > 1:
            yield f"{path}: {name} has not every seed for every group"


@dataclass(frozen=True, kw_only=True)
class Slice:
    """One slice of one group's latent; ``owner`` is a modality, or a pair for synergy."""

    group: str
    kind: str
    owner: str
    values: NDArray[np.float64]  # shape=(samples, width)


@dataclass(frozen=True, kw_only=True)
class Slices:
    """Every slice of a run, all over the same samples.

    ``sample`` holds the samples' positions in the data set; windows at most ``reach`` positions
    apart share time steps (0: none do).  ``dropped`` names the slices that hold NaN or infinity.
    """

    label: NDArray[np.int64]  # shape=(samples,)
    slices: tuple[Slice, ...]
    sample: NDArray[np.int64]  # shape=(samples,)
    reach: int
    dropped: tuple[str, ...] = ()

    def of_kind(self, kind: str) -> list[Slice]:
        """Return the slices of a kind that can be drawn together: of the commonest width."""
        pieces = [piece for piece in self.slices if piece.kind == kind]
        widths = [piece.values.shape[1] for piece in pieces]
        return [piece for piece in pieces if widths.count(piece.values.shape[1]) * 2 > len(widths)]


def read_slices(run: Run) -> Slices | None:
    """Read the finite slices of a run; None where the run left none.

    Raises:
        RecordError: the file is damaged, or its arrays do not fit together.
    """
    path = run.directory / SLICES
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        if missing := {"label", "sample", "reach"} - arrays.keys():
            raise ValueError(f"it lacks {', '.join(sorted(missing))}")
        label, sample = (arrays.pop(name).astype(np.int64) for name in ("label", "sample"))
        reach = int(arrays.pop("reach"))
        if sample.shape != label.shape:
            raise ValueError(f"'sample' has shape {sample.shape}, not {label.shape}")
        pieces = {name: _slice(name, values, len(label)) for name, values in arrays.items()}
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise RecordError(f"cannot read {path} ({error}); run it again") from error
    finite = {name: bool(np.isfinite(piece.values).all()) for name, piece in pieces.items()}
    return Slices(
        label=label,
        slices=tuple(piece for name, piece in pieces.items() if finite[name]),
        sample=sample,
        reach=reach,
        dropped=tuple(name for name in pieces if not finite[name]),
    )


def _slice(name: str, values: NDArray[np.generic], samples: int) -> Slice:
    group, _, rest = name.partition("/")
    kind, _, owner = rest.partition(".")
    if kind not in SLICE_KINDS or not owner:
        kinds = ", ".join(SLICE_KINDS)
        raise ValueError(f"{name!r} is not GROUP/KIND.OWNER with KIND one of {kinds}")
    if values.ndim != 2 or len(values) != samples or not values.shape[1]:
        raise ValueError(f"{name!r} has shape {values.shape}, not ({samples}, width)")
    return Slice(group=group, kind=kind, owner=owner, values=values.astype(np.float64))
