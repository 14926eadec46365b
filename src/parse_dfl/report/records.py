"""What a run, a comparison and a folder of comparisons left on disk, as typed values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parse_dfl.divergence import sentence

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
