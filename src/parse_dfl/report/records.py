"""What runs left on disk, as typed values."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parse_dfl.divergence import sentence
from parse_dfl.errors import RecordError

KINDS = ("redundant", "unique", "synergistic")


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
    reach: int = 0
    dropped: tuple[str, ...] = ()

    def of_kind(self, kind: str) -> list[Slice]:
        """The slices of a kind that can be drawn together: of the width most of them have."""
        found = [piece for piece in self.slices if piece.kind == kind]
        widths = [piece.values.shape[1] for piece in found]
        return [piece for piece in found if widths.count(piece.values.shape[1]) * 2 > len(widths)]


def read_slices(run: Run) -> Slices | None:
    """The finite slices of a run; None where the run left none.

    A file without positions or reach is read as samples of which none overlap.

    Raises:
        RecordError: the file is corrupt, or its arrays do not fit together.
    """
    path = run.directory / SLICES
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        label = arrays.pop("label").astype(np.int64)
        sample = arrays.pop("sample", np.arange(len(label))).astype(np.int64)
        reach = int(arrays.pop("reach", np.zeros(())))
        if sample.shape != label.shape:
            raise ValueError(f"'sample' has shape {sample.shape}, not {label.shape}")
        pieces = {name: _slice(name, values, len(label)) for name, values in arrays.items()}
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise RecordError(f"cannot read {path} ({error}); run it again") from error
    if not pieces:
        return None
    finite = {name: bool(np.isfinite(piece.values).all()) for name, piece in pieces.items()}
    whole = tuple(piece for name, piece in pieces.items() if finite[name])
    dropped = tuple(name for name in pieces if not finite[name])
    return Slices(label=label, slices=whole, sample=sample, reach=reach, dropped=dropped)


def _slice(name: str, values: NDArray[np.generic], samples: int) -> Slice:
    group, _, rest = name.partition("/")
    kind, _, owner = rest.partition(".")
    if kind not in KINDS or not owner:
        raise ValueError(f"{name!r} is not GROUP/KIND.OWNER with KIND one of {', '.join(KINDS)}")
    if values.ndim != 2 or len(values) != samples or not values.shape[1]:
        raise ValueError(f"{name!r} has shape {values.shape}, not ({samples}, width)")
    return Slice(group=group, kind=kind, owner=owner, values=values.astype(np.float64))


SUMMARY = "summary.json"
METRICS = "metrics.jsonl"
SLICES = "slices.npz"
COMPARISON = "comparison.json"


@dataclass(frozen=True, kw_only=True)
class GroupResult:
    """The final scores, 0 to 1, averaged over the agents of one modality set."""

    agents: int
    parameters: int
    accuracy: float
    macro_f1: float
    local_accuracy: float


@dataclass(frozen=True, kw_only=True)
class AgentResult:
    """The final scores, 0 to 1, of one agent; ``samples`` it trained on."""

    name: str
    group: str
    samples: int
    accuracy: float
    local_accuracy: float
    macro_f1: float


@dataclass(frozen=True, kw_only=True)
class Overlay:
    """Who exchanged one branch with whom."""

    label: str
    members: tuple[str, ...]
    edges: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One line of ``metrics.jsonl``: a group at an evaluated round."""

    round: int
    group: str
    seed: int
    accuracy: float


@dataclass(frozen=True, kw_only=True)
class Divergence:
    """Agents whose scores mean nothing, and the first evaluated round in which that was seen."""

    round: int
    agents: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """It in words."""
        return sentence(self.round, self.agents)


@dataclass(frozen=True, kw_only=True)
class Summary:
    """``summary.json``: how a finished run ended."""

    method: str
    data: str
    seed: int
    rounds: int
    groups: Mapping[str, GroupResult]
    mean_accuracy: float
    payload_bytes_per_link: float
    payload_bytes_per_round: float
    wall_seconds: float
    seconds_per_round: Mapping[str, float]
    peak_memory_bytes: float
    config: Mapping[str, Any]
    overlays: tuple[Overlay, ...] = ()
    agents: tuple[AgentResult, ...] = ()
    diverged: Divergence | None = None
    lr: float = math.nan


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run's folder; ``summary`` is None while the run is unfinished."""

    directory: Path
    summary: Summary | None
    history: tuple[Evaluation, ...]

    @property
    def name(self) -> str:
        """The method, or the folder's name while the run is unfinished."""
        return self.summary.method if self.summary else self.directory.resolve().name

    @property
    def runs(self) -> Mapping[str, tuple[Run, ...]]:
        """The run under its name: what :attr:`Comparison.runs` is for many."""
        return {self.name: (self,)}


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

    @property
    def diverged(self) -> tuple[str, ...]:
        """The methods that have diverged in a seed."""
        return tuple(name for name, result in self.methods.items() if result.diverged)

    @property
    def groups(self) -> tuple[str, ...]:
        """Every modality set, the smallest first."""
        return ordered_groups(group for result in self.methods.values() for group in result.groups)


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


Record = Run | Comparison | Collection


def ordered_groups(keys: Iterable[str]) -> tuple[str, ...]:
    """Modality set keys without repeats, those of fewer modalities first, then by name."""
    return tuple(sorted(set(keys), key=lambda group: (group.count("+"), group)))


def runs_of(record: Run | Comparison) -> tuple[Run, ...]:
    """Every run of a record, those of the method ``parse`` first."""
    methods = sorted(record.runs, key=lambda method: method != "parse")
    return tuple(run for method in methods for run in record.runs[method])


def problems_of(record: Record) -> tuple[str, ...]:
    """What of a record could not be read."""
    return () if isinstance(record, Run) else record.problems
