"""What a method is made of: stages, sharing rules, and rules of aggregation.

An exchange rule is two pure steps over rows.  In the simulator the rows are all owners of a
branch; in a peer they are its own row and those of its neighbours.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from torch import Tensor

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import Branch
from parse_dfl.errors import ConfigError
from parse_dfl.networks.losses import Objective
from parse_dfl.networks.network import Network, NetworkSpec, Outputs
from parse_dfl.overlays.mixing_matrix import MixingMatrix

EDGE = "edge:"
"""Tensors under names that start so have a row per directed edge."""

Sent = Mapping[str, Tensor]
"""What leaves the rows: tensors of a row per owner, or (:data:`EDGE`) per directed edge of the
mixing."""


class Rows(Protocol):
    """A branch's rows as an exchange rule sees them.  P columns, n rows."""

    @property
    def agents(self) -> Sequence[AgentSpec]:
        """The owner of each row."""
        ...

    @property
    def params(self) -> Tensor:
        """Parameters after local training, shape=(n, P)."""
        ...

    @property
    def previous(self) -> Tensor:
        """Parameters as the round began, shape=(n, P); kept if the rule ``needs_previous``."""
        ...

    @property
    def memory(self) -> dict[str, Tensor]:
        """The rule's own tensors, kept between rounds and in checkpoints.

        ``edges``, shape=(E, 2), says whose they are: the stable hashes of a directed edge's sender
        and receiver.  All others have a row an edge.
        """
        ...

    @property
    def progress(self) -> float:
        """The share of all rounds that have begun, in [0, 1]."""
        ...

    def drift(self, component: str) -> Tensor:
        """How far each owner's branches of ``component`` went since the stage began.

        ‖θ − θ_start‖ per modality, in the order of the names, shape=(n, M); the stage must track
        this component.
        """
        ...


class Aggregation(ABC):
    """An exchange rule."""

    needs_previous: bool = False

    def numbers_sent(self, columns: int) -> int:
        """Numbers that cross a directed edge for a branch of ``columns`` parameters."""
        return columns

    @property
    def averages(self) -> bool:
        """Whether the exchange is exactly ``W @ θ``, which an engine may then compute in place."""
        return False

    @abstractmethod
    def send(self, rows: Rows, mixing: MixingMatrix) -> Sent:
        """What each row sends."""

    @abstractmethod
    def receive(self, rows: Rows, sent: Sent, mixing: MixingMatrix) -> Tensor:
        """The parameters after the exchange, shape=(n, P)."""


class Average(Aggregation):
    """Gossip averaging, θ_i ← Σ_j W_ij θ_j: the rule of PARSE and of plain D-SGD."""

    @property
    def averages(self) -> bool:
        """True, but for a subclass that sends or receives something else."""
        own = type(self)
        return own.send is Average.send and own.receive is Average.receive

    def send(self, rows: Rows, mixing: MixingMatrix) -> Sent:  # noqa: ARG002
        """The parameters."""
        return {"theta": rows.params}

    def receive(self, rows: Rows, sent: Sent, mixing: MixingMatrix) -> Tensor:  # noqa: ARG002
        """``W @ θ``."""
        return mixing.apply(sent["theta"])


AVERAGE = Average()


SharingRule = Callable[[Branch, AgentSpec], str | None]
"""The label of the overlay on which an agent exchanges a branch; None: it keeps it to itself.
The owners of a branch that get one label form that branch's overlay."""

NetworkBuilder = Callable[[NetworkSpec, AgentSpec], Network]
"""An agent's network.  Agents of equal modalities and encoders have equal networks: it is built for
the first of them, and may depend on nothing else of an agent."""


def full_rate(branch: Branch, agent: AgentSpec) -> float:  # noqa: ARG001
    """Every branch learns at the run's learning rate."""
    return 1.0


def joint_prediction(outputs: Outputs) -> Tensor:
    """The logits that are evaluated unless a stage says otherwise."""
    return outputs.logits


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A share of the rounds with its own objective and sharing rule.

    ``continues`` lets it go on with the learning-rate schedule and the global momentum of the stage
    before, which may then be without rounds where these are few.  ``rate`` scales the learning rate
    per branch and agent (a pure function, asked once for each; at 0 an agent's branch takes no
    step); ``exchanges`` maps a component to its exchange rule (missing: ``averaging``, plain or
    robust); ``tracks_drift`` names a component whose distance from the stage's start the exchange
    rules may ask for.  ``number`` is its place among the method's stages, which sets it.
    """

    objective: Objective
    sharing: SharingRule
    number: int = 0
    share: float = 1.0
    continues: bool = False
    rate: Callable[[Branch, AgentSpec], float] = full_rate
    predict: Callable[[Outputs], Tensor] = joint_prediction
    exchanges: Mapping[str, Aggregation] = field(default_factory=dict)
    tracks_drift: str | None = None
    averaging: Aggregation = AVERAGE

    def exchange(self, branch: Branch) -> Aggregation:
        """The exchange rule of a branch."""
        return self.exchanges.get(branch.component, self.averaging)


@dataclass(frozen=True, kw_only=True)
class Method:
    """One way to learn together.

    ``lr`` is the default learning rate, tuned on validation data.  ``centralised`` is the
    oracle's: agents of one modality set are merged, and gradients are averaged over all rows at
    every step.
    """

    name: str
    network: NetworkBuilder
    stages: tuple[Stage, ...]
    lr: float = 0.01
    centralised: bool = False

    def __post_init__(self) -> None:
        numbered = (replace(stage, number=number) for number, stage in enumerate(self.stages))
        object.__setattr__(self, "stages", tuple(numbered))

    def stage_bounds(self, rounds: int) -> list[tuple[int, int]]:
        """First and last round (from 1, inclusive) of every stage.

        Raises:
            ConfigError: the rounds are too few for every stage to have one.
        """
        total = sum(stage.share for stage in self.stages)
        bounds, begin, reached = [], 1, 0.0
        continued = [stage.continues for stage in self.stages[1:]] + [False]
        for stage, goes_on in zip(self.stages, continued, strict=True):
            reached += stage.share
            end = round(rounds * reached / total)
            if end < begin and not goes_on:
                raise ConfigError(
                    f"{rounds} rounds are too few for the {len(self.stages)} stages of {self.name}"
                )
            bounds.append((begin, end))
            begin = end + 1
        return bounds

    def schedule_bounds(self, stage: int, rounds: int) -> tuple[int, int]:
        """First and last round of a stage's learning-rate schedule, with all stages it continues
        or that continue it."""
        first = last = stage
        while self.stages[first].continues:
            first -= 1
        while last + 1 < len(self.stages) and self.stages[last + 1].continues:
            last += 1
        bounds = self.stage_bounds(rounds)
        return bounds[first][0], bounds[last][1]

    def stage_at(self, round: int, rounds: int) -> int:
        """The index of the stage in which a round lies."""
        bounds = self.stage_bounds(rounds)
        return next(i for i, (_, end) in enumerate(bounds) if round <= end)


ENCODERS = ("backbone", "encoder")
"""The components that turn a modality's samples into features."""


def nothing(branch: Branch, agent: AgentSpec) -> str | None:  # noqa: ARG001
    """Local training: nobody exchanges anything."""
    return None


def by_task(branch: Branch, agent: AgentSpec) -> str | None:  # noqa: ARG001
    """The whole model, among agents with the same modality set."""
    return f"set:{agent.group}"


def by_modality(branch: Branch, agent: AgentSpec) -> str | None:  # noqa: ARG001
    """Each encoder among all owners of its modality; all else stays local."""
    return branch.modality if branch.component in ENCODERS else None


def hybrid(branch: Branch, agent: AgentSpec) -> str | None:
    """Encoders by modality, all else by modality set."""
    return by_modality(branch, agent) or by_task(branch, agent)


def partial_alignment(branch: Branch, agent: AgentSpec) -> str | None:  # noqa: ARG001
    """PARSE: every branch among all who own it, on the overlay of its modality or pair."""
    return branch.modality


RULES: Mapping[str, SharingRule] = {
    "local": nothing,
    "task": by_task,
    "modality": by_modality,
    "hybrid": hybrid,
}
"""The rules that any network can be trained under, as in ``parse@hybrid``."""
