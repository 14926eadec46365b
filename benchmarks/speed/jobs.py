"""The jobs that are timed: which data, which method, how many agents; random numbers as data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from parse_dfl.agents import AgentMix
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.methods.registry import build_method
from parse_dfl.modalities import Kind
from parse_dfl.networks.blueprint import Blueprint
from parse_dfl.networks.config import NetworkConfig
from parse_dfl.networks.encoders import SampleShape
from parse_dfl.simulation.simulator import Simulator
from parse_dfl.training.config import TrainingConfig
from parse_dfl.training.shards import Shard, TensorData

CLASSES = 10
POOL = 1024
"""Samples in the set; agents draw theirs from it and may share some, which costs nothing."""
SAMPLES_PER_AGENT = 64
TEST_SAMPLES = 512
ROUNDS = 100_000
"""More than are ever run, so that the learning rate hardly moves."""


@dataclass(frozen=True)
class Inputs:
    """What both modalities look like."""

    name: str
    kind: Kind
    shape: tuple[int, ...]


INPUTS = {
    each.name: each
    for each in (
        Inputs("vector-32", Kind.VECTOR, (32,)),
        Inputs("vector-64", Kind.VECTOR, (64,)),
        Inputs("series", Kind.SERIES, (128, 3)),
        Inputs("image", Kind.IMAGE, (28, 28, 1)),
        Inputs("video", Kind.VIDEO, (8, 16, 16)),
    )
}
METHODS = ("parse", "dsgd-hybrid")


@dataclass(frozen=True, kw_only=True)
class Job:
    """One federation: a third of the agents own ``a``, a third ``b``, the others both."""

    inputs: Inputs
    method: str
    agents: int

    @property
    def mix(self) -> AgentMix:
        """Who owns what."""
        third = self.agents // 3
        both = self.agents - 2 * third
        return AgentMix(((("a",), third), (("b",), third), (("a", "b"), both)))

    def data(self) -> MultimodalData:
        """A data set of random numbers: what they are does not change the work."""
        rng = np.random.default_rng(0)
        return MultimodalData(
            name=self.inputs.name,
            modalities={
                name: rng.standard_normal((POOL, *self.inputs.shape), dtype=np.float32)
                for name in ("a", "b")
            },
            kinds=dict.fromkeys(("a", "b"), self.inputs.kind),
            label=np.arange(POOL) % CLASSES,
            label_names=tuple(str(label) for label in range(CLASSES)),
        )

    def shards(self) -> list[Shard]:
        """The samples of every agent."""
        rng = np.random.default_rng(1)
        return [
            Shard(agent, rng.choice(POOL, SAMPLES_PER_AGENT, replace=False))
            for agent in self.mix.agents()
        ]

    def simulator(self) -> Simulator:
        """The package's simulator, all settings left at their defaults."""
        shape = self.inputs.shape
        return Simulator(
            TensorData(self.data(), torch.device("cpu"), torch.float32),
            self.shards(),
            build_method(self.method),
            Blueprint(
                samples={name: SampleShape(name, self.inputs.kind, shape) for name in ("a", "b")},
                classes=CLASSES,
                config=NetworkConfig(),
            ),
            training=TrainingConfig(rounds=ROUNDS),
        )
