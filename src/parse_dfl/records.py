"""Define the records of runs: the types of every JSON file that a run writes.

One class a JSON object, whose fields are the keys of the file in their order (docs/files.md).
:mod:`parse_dfl.io` writes and reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

SUMMARY = "summary.json"
METRICS = "metrics.jsonl"
CONFLICT = "conflict.jsonl"
COMPARISON = "comparison.json"
STATISTICS = "statistics.json"
AUDIT = "audit.json"
SLICES = "slices.npz"

T = TypeVar("T")


def _omitted(default: T) -> T:
    """Declare a field that is written only where it holds something else than ``default``."""
    return field(default=default, metadata={"omitted": True})


@dataclass(frozen=True, kw_only=True)
class Roles:
    """What a report compares with what, by the methods' names.

    ``subject`` is held against the best of its rivals; methods that begin with its name are its
    controls and variants, and no rivals.  ``lower`` and ``upper`` bound what there is to gain;
    the upper one does not compete.  ``order`` gives methods their colours.
    """

    subject: str | None = None
    lower: str | None = None
    upper: str | None = None
    order: tuple[str, ...] = ()

    def is_ranked(self, method: str) -> bool:
        """Return whether a method competes: all do but the upper bound."""
        return method != self.upper

    def is_rival(self, method: str) -> bool:
        """Return whether a method stands against the subject."""
        is_variant = self.subject is not None and method.startswith(self.subject)
        return self.is_ranked(method) and not is_variant

    def competes(self, method: str) -> bool:
        """Return whether a method has a rank: the subject and its rivals."""
        return method == self.subject or self.is_rival(method)


NO_ROLES = Roles()
"""All methods compete, and none is held against the others."""


# A run ----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class GroupResult:
    """The final scores, 0 to 1, averaged over the agents of one modality set.

    ``parameters`` are one agent's; ``loss`` is in nats, None where it is not finite.
    """

    agents: int
    parameters: int
    accuracy: float
    macro_f1: float
    local_accuracy: float
    loss: float | None


@dataclass(frozen=True, kw_only=True)
class AgentResult:
    """The final scores, 0 to 1, of one agent, and the number of samples that it trained on."""

    name: str
    group: str
    samples: int
    accuracy: float
    macro_f1: float
    local_accuracy: float
    loss: float | None
    diverged: bool = _omitted(False)


@dataclass(frozen=True, kw_only=True)
class MetricsLine:
    """A line of ``metrics.jsonl``: a modality set's mean scores, 0 to 1, at an evaluated round.

    ``diverged`` counts the set's agents that have.
    """

    round: int
    group: str
    seed: int
    accuracy: float
    macro_f1: float
    local_accuracy: float
    loss: float | None
    diverged: int = _omitted(0)


@dataclass(frozen=True, kw_only=True)
class ConflictLine:
    """A line of ``conflict.jsonl``: the pairs of one kind on one branch at one round.

    ``negative_share`` is the share of pairs whose gradients' cosine is below 0.
    """

    round: int
    seed: int
    branch: str
    samples: str
    pairs: str
    count: int
    negative_share: float
    mean_cosine: float


@dataclass(frozen=True, kw_only=True)
class Overlay:
    """The agents that exchanged one branch, and the links between them."""

    label: str
    members: tuple[str, ...]
    edges: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Divergence:
    """Agents whose scores mean nothing, and the first evaluated round in which that was seen."""

    round: int
    agents: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """Say it: ``15 agents have diverged since round 10 (a-0, a-1, a-2, …)``."""
        shown = ", ".join(self.agents[:3]) + (", …" if len(self.agents) > 3 else "")
        many = "agents have" if len(self.agents) > 1 else "agent has"
        return f"{len(self.agents)} {many} diverged since round {self.round} ({shown})"


@dataclass(frozen=True, kw_only=True)
class LinkBytes:
    """Bytes a round over a directed link that carries anything: the mean and the largest."""

    mean: float
    max: int


@dataclass(frozen=True, kw_only=True)
class Summary:
    """``summary.json``: how a finished run ended."""

    method: str
    data: str
    seed: int
    rounds: int
    groups: Mapping[str, GroupResult]
    mean_accuracy: float
    diverged: Divergence | None
    honest_mean_accuracy: float | None = _omitted(None)
    payload_bytes_per_round: float
    payload_bytes_per_link: LinkBytes
    wall_seconds: float
    seconds_per_round: Mapping[str, float]
    seeds_side_by_side: int
    ranks: int
    threads: int
    peak_memory_bytes: int
    lr: float
    proposed_split: Mapping[str, Any] | None
    evaluated_on: str
    evaluated_samples: int
    agents: tuple[AgentResult, ...]
    overlays: tuple[Overlay, ...]
    config: Mapping[str, Any]


# A comparison ---------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean with half its 95 % interval; None for a single value."""

    mean: float
    ci95: float | None


@dataclass(frozen=True, kw_only=True)
class SeedValues(Estimate):
    """The values of all seeds, in the order of the seeds, and what they estimate."""

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("expected at least one value")


@dataclass(frozen=True, kw_only=True)
class GroupStatistics:
    """The scores of one modality set over the seeds."""

    accuracy: SeedValues
    macro_f1: SeedValues
    local_accuracy: SeedValues


@dataclass(frozen=True, kw_only=True)
class MethodRecord:
    """One method of a comparison; ``seeds`` where they are not the comparison's.

    ``diverged`` is by seed, None where nothing has.
    """

    groups: Mapping[str, GroupStatistics]
    mean_accuracy: SeedValues
    payload_bytes_per_link: LinkBytes
    seconds: float
    lr: float
    diverged: Mapping[str, Divergence] | None = None
    seeds: tuple[int, ...] | None = _omitted(None)


@dataclass(frozen=True, kw_only=True)
class ComparisonRecord:
    """``comparison.json``: several methods on the same data and seeds."""

    data: str
    config: Mapping[str, Any]
    seeds: tuple[int, ...]
    methods: Mapping[str, MethodRecord]
    version: str | None = _omitted(None)


# An audit -------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Atoms:
    """A decomposition about the label, in bits; ``unique`` by modality, in their order."""

    redundant: float
    unique: Mapping[str, float]
    synergistic: float
    total: float


@dataclass(frozen=True, kw_only=True)
class Decomposition:
    """The bits of two representations about the label."""

    bits: Atoms
    warnings: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The share of samples of which a probe reads a target right, 0 to 1.

    ``accuracy`` is through the slice's channel, ``noiseless`` without its noise, None where it
    has none; both are means over the agents' ``values``.
    """

    accuracy: float
    noiseless: float | None
    values: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Purity:
    """The least reading of a slice's own label bits, and the greatest of the others.

    ``worst`` names that other; None where there are none.
    """

    own: float | None
    other: float | None
    worst: str | None


@dataclass(frozen=True, kw_only=True)
class ChannelPurity:
    """A slice's purity through its channel, and without the channel's noise where it has any."""

    through: Purity
    noiseless: Purity | None


@dataclass(frozen=True, kw_only=True)
class Contribution:
    """What predictions owe to each slice: shares of the reported samples, 0 to 1.

    Attributes:
        joint: predicted right.
        noiseless: predicted right without the channels' noise; None: there is none.
        without: predicted right when a slice's logits are left out, by slice.
        alone: predicted right by a slice's logits alone, by slice.
        modalities: predicted right by a modality alone, by modality.
        synergy_score: right, though every single modality is wrong; None: one modality.
        spoilt: wrong, though some single modality is right; None: one modality.
    """

    joint: float
    noiseless: float | None
    without: Mapping[str, float]
    alone: Mapping[str, float]
    modalities: Mapping[str, float]
    synergy_score: float | None
    spoilt: float | None


Measures = Mapping[str, Mapping[str, float]]
"""Name → measure → value."""


@dataclass(frozen=True, kw_only=True)
class SliceMeasures:
    """Measures of the slices themselves.

    ``bits`` are by kind and pair (``a,b``), ``predictability`` (R²) by kind and way (``a>b``),
    ``dependence`` by two slices (``redundant.a unique.a``).
    """

    bits: Mapping[str, Mapping[str, Decomposition]]
    predictability: Mapping[str, Measures]
    dependence: Measures


@dataclass(frozen=True, kw_only=True)
class GroupAudit(SliceMeasures):
    """The audited agents of one modality set; ``reads`` is by slice and target."""

    agents: tuple[str, ...]
    reads: Mapping[str, Mapping[str, Reading]]
    purity: Mapping[str, ChannelPurity]
    accuracy: Contribution
    noiseless: SliceMeasures | None


@dataclass(frozen=True, kw_only=True)
class PairMeasures:
    """The slices of one kind of two agents that own different modalities."""

    reads: Mapping[str, float]
    bits: Decomposition
    predictability: Measures
    noiseless: Measures | None


@dataclass(frozen=True, kw_only=True)
class PairAudit:
    """Two unimodal agents of different modalities; ``kinds`` is by kind of slice."""

    agents: tuple[str, ...]
    modalities: tuple[str, ...]
    kinds: Mapping[str, PairMeasures]


@dataclass(frozen=True, kw_only=True)
class DataAudit:
    """The modalities themselves: readings of each and of each pair, and bits by pair (``a,b``)."""

    reads: Measures
    bits: Mapping[str, Decomposition]


@dataclass(frozen=True, kw_only=True)
class Audit:
    """``audit.json``: what the slices of a run's agents hold."""

    method: str
    data: str
    seed: int
    evaluated_on: str
    config: Mapping[str, Any]
    samples: Mapping[str, int]
    probe: Mapping[str, Any]
    chance: Mapping[str, float]
    raw: DataAudit
    groups: Mapping[str, GroupAudit]
    across: tuple[PairAudit, ...]
    warnings: tuple[str, ...]
