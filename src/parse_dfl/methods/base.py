"""Define the parts of a method: stages, sharing rules, and rules of aggregation.

An aggregation is two pure steps over rows.  In the simulator the rows are all owners of a branch;
in a peer they are its own row and those of its neighbours.
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

Messages = Mapping[str, Tensor]
"""What leaves the rows: tensors of a row per owner, or (:data:`EDGE`) per directed edge of the
mixing."""


class BranchView(Protocol):
    """A branch's rows as an aggregation sees them.  P columns, n rows."""

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
        """Return the distance of each owner's branches of ``component`` from where the stage began.

        ‖θ − θ_start‖ per modality, in the order of the names, shape=(n, M); the stage must track
        this component.
        """
        ...


class Aggregation(ABC):
    """An exchange rule: what is sent over an edge, and what the receiver does with it."""

    needs_previous: bool = False

    def numbers_sent(self, columns: int) -> int:
        """Count the numbers that cross a directed edge for a branch of ``columns`` parameters."""
        return columns

    @property
    def averages(self) -> bool:
        """Whether the exchange is exactly ``W @ θ``, which an engine may then compute in place."""
        return False

    @abstractmethod
    def send(self, rows: BranchView, mixing: MixingMatrix) -> Messages:
        """Return the messages of each row."""

    @abstractmethod
    def receive(self, rows: BranchView, sent: Messages, mixing: MixingMatrix) -> Tensor:
        """Return the parameters after the exchange, shape=(n, P)."""


class Average(Aggregation):
    """Gossip averaging, θ_i ← Σ_j W_ij θ_j: the rule of PARSE and of plain D-SGD."""

    @property
    def averages(self) -> bool:
        """True, but for a subclass that sends or receives something else."""
        kind = type(self)
        return kind.send is Average.send and kind.receive is Average.receive

    def send(self, rows: BranchView, mixing: MixingMatrix) -> Messages:  # noqa: ARG002
        """Send the parameters."""
        return {"theta": rows.params}

    def receive(self, rows: BranchView, sent: Messages, mixing: MixingMatrix) -> Tensor:  # noqa: ARG002
        """Return ``W @ θ``."""
        return mixing.apply(sent["theta"])


AVERAGE = Average()


SharingRule = Callable[[Branch, AgentSpec], str | None]
"""The id of the overlay on which an agent exchanges a branch; None: it keeps it to itself.
The owners of a branch that get one id form that branch's overlay."""

NetworkBuilder = Callable[[NetworkSpec, AgentSpec], Network]
"""An agent's network.  Agents of equal modalities and encoders have equal networks: it is built for
the first of them, and may depend on nothing else of an agent."""


def full_lr(branch: Branch, agent: AgentSpec) -> float:  # noqa: ARG001
    """Let every branch learn at the run's learning rate."""
    return 1.0


def joint_prediction(outputs: Outputs) -> Tensor:
    """Return the logits that are evaluated unless a stage says otherwise."""
    return outputs.logits


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A ``fraction`` of the rounds with its own objective and sharing rule.

    ``continues`` lets it go on with the learning-rate schedule and the global momentum of the stage
    before, which may then be without rounds where these are few.  ``lr_scale`` scales the learning
    rate per branch and agent (a pure function, asked once for each; at 0 an agent's branch takes no
    step); ``exchanges`` maps a component to its aggregation (missing: ``averaging``, plain or
    robust); ``tracks_drift`` names a component whose distance from the stage's start the
    aggregations may ask for.  ``number`` is its index among the method's stages, which sets it.
    """

    objective: Objective
    sharing: SharingRule
    number: int = 0
    fraction: float = 1.0
    continues: bool = False
    lr_scale: Callable[[Branch, AgentSpec], float] = full_lr
    predict: Callable[[Outputs], Tensor] = joint_prediction
    exchanges: Mapping[str, Aggregation] = field(default_factory=dict)
    tracks_drift: str | None = None
    averaging: Aggregation = AVERAGE

    def exchange(self, branch: Branch) -> Aggregation:
        """Return the aggregation of a branch."""
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

    @property
    def shares(self) -> bool:
        """Whether anything is exchanged in any stage; who learns alone agrees on nothing either."""
        return any(stage.sharing is not nothing for stage in self.stages)

    def stage_bounds(self, rounds: int) -> list[tuple[int, int]]:
        """Return the first and last round (from 1, inclusive) of every stage.

        Raises:
            ConfigError: the rounds are too few for every stage to have one.
        """
        total = sum(stage.fraction for stage in self.stages)
        bounds, begin, reached = [], 1, 0.0
        continued = [stage.continues for stage in self.stages[1:]] + [False]
        for stage, goes_on in zip(self.stages, continued, strict=True):
            reached += stage.fraction
            end = round(rounds * reached / total)
            if end < begin and not goes_on:
                raise ConfigError(
                    f"{rounds} rounds are too few for the {len(self.stages)} stages of {self.name}"
                )
            bounds.append((begin, end))
            begin = end + 1
        return bounds

    def schedule_bounds(self, stage: int, rounds: int) -> tuple[int, int]:
        """Return the first and last round of a stage's learning-rate schedule, with all stages it
        continues or that continue it."""
        first = last = stage
        while self.stages[first].continues:
            first -= 1
        while last + 1 < len(self.stages) and self.stages[last + 1].continues:
            last += 1
        bounds = self.stage_bounds(rounds)
        return bounds[first][0], bounds[last][1]

    def stage_at(self, round: int, rounds: int) -> int:
        """Return the index of the stage in which a round lies."""
        bounds = self.stage_bounds(rounds)
        return next(i for i, (_, end) in enumerate(bounds) if round <= end)


ENCODERS = ("backbone", "encoder")
"""The components that turn a modality's samples into features."""


def nothing(branch: Branch, agent: AgentSpec) -> str | None:  # noqa: ARG001
    """Exchange nothing: local training."""
    return None


def by_task(branch: Branch, agent: AgentSpec) -> str | None:  # noqa: ARG001
    """Exchange the whole model, among agents with the same modality set."""
    return f"set:{agent.group}"


def by_modality(branch: Branch, agent: AgentSpec) -> str | None:  # noqa: ARG001
    """Exchange each encoder among all owners of its modality; all else stays local."""
    return branch.modality if branch.component in ENCODERS else None


def hybrid(branch: Branch, agent: AgentSpec) -> str | None:
    """Exchange encoders by modality, all else by modality set."""
    return by_modality(branch, agent) or by_task(branch, agent)


def partial_alignment(branch: Branch, agent: AgentSpec) -> str | None:  # noqa: ARG001
    """Exchange each branch among all who own it, on the overlay of its modality or pair (PARSE)."""
    return branch.modality


RULES: Mapping[str, SharingRule] = {
    "local": nothing,
    "task": by_task,
    "modality": by_modality,
    "hybrid": hybrid,
}
"""The rules that any network can be trained under, as in ``parse@hybrid``."""
