"""A method: a network, an objective and a sharing rule; stages only where it needs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import Branch
from parse_dfl.errors import ConfigError
from parse_dfl.methods.exchange import AVERAGE, Exchange
from parse_dfl.networks.blueprint import Blueprint
from parse_dfl.networks.network import Network, Outputs
from parse_dfl.objectives import Objective

SharingRule = Callable[[Branch, AgentSpec], str | None]
"""The label of the overlay on which an agent exchanges a branch; None: it keeps it to itself.
The owners of a branch that get one label form that branch's overlay."""

NetworkBuilder = Callable[[Blueprint, AgentSpec], Network]
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
    rules may ask for.
    """

    objective: Objective
    sharing: SharingRule
    share: float = 1.0
    continues: bool = False
    rate: Callable[[Branch, AgentSpec], float] = full_rate
    predict: Callable[[Outputs], Tensor] = joint_prediction
    exchanges: Mapping[str, Exchange] = field(default_factory=dict)
    tracks_drift: str | None = None
    averaging: Exchange = AVERAGE

    def exchange(self, branch: Branch) -> Exchange:
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
