"""The jobs that are timed: which data, which method, how many agents; random numbers as data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import numpy as np
import torch

from benchmarks.speed.mlp import DSGD_MLP
from parse_dfl.agents import AgentMix, Kind
from parse_dfl.config import NetworkConfig, OverlayConfig, TrainingConfig
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.engine.agent_data import AgentData, TensorData
from parse_dfl.engine.simulator import Simulator, build_simulator
from parse_dfl.methods.base import Method
from parse_dfl.methods.registry import build_method
from parse_dfl.networks.encoders import SampleShape
from parse_dfl.networks.network import NetworkSpec
from parse_dfl.process import keep_freed_memory

CLASSES = 10
POOL = 1024
"""Samples in the set; agents draw theirs from it and may share some, which costs nothing."""
TEST_SAMPLES = 512
ROUNDS = 100_000
"""More than are ever run, so that the learning rate hardly moves."""


@dataclass(frozen=True)
class Inputs:
    """What every modality looks like."""

    name: str
    kind: Kind
    shape: tuple[int, ...]


INPUTS = {
    each.name: each
    for each in (
        Inputs("vector-32", Kind.VECTOR, (32,)),
        Inputs("vector-64", Kind.VECTOR, (64,)),
        Inputs("vector-300", Kind.VECTOR, (300,)),
        Inputs("vector-561", Kind.VECTOR, (561,)),
        Inputs("series", Kind.SERIES, (128, 3)),
        Inputs("image", Kind.IMAGE, (28, 28, 1)),
        Inputs("video", Kind.VIDEO, (8, 16, 16)),
    )
}
PLAIN_DSGD = DSGD_MLP.name
METHODS = ("parse", "dsgd-hybrid", PLAIN_DSGD)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One federation on a ring, or on ``topology``.

    Of two modalities a third of the agents own ``a``, a third ``b`` and the others both, unless
    ``own_all``; of another number everybody owns all.  Plain D-SGD knows one modality alone.
    """

    inputs: str
    method: str
    agents: int
    modalities: int = 2
    own_all: bool = False
    hidden: int = 64
    topology: str = "ring"
    compiled: bool = False
    device: str = "cpu"

    @property
    def label(self) -> str:
        """The method, and whether its step is compiled."""
        return f"{self.method}, compiled" if self.compiled else self.method

    @property
    def names(self) -> tuple[str, ...]:
        """The modalities."""
        return tuple("abcdefgh"[: 1 if self.method == PLAIN_DSGD else self.modalities])

    @property
    def mix(self) -> AgentMix:
        """Who owns what."""
        if self.own_all or len(self.names) != 2:
            return AgentMix(((self.names, self.agents),))
        third = self.agents // 3
        both = self.agents - 2 * third
        return AgentMix(((("a",), third), (("b",), third), (("a", "b"), both)))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a sample of any modality."""
        return INPUTS[self.inputs].shape

    @property
    def kind(self) -> Kind:
        """The kind of every modality."""
        return INPUTS[self.inputs].kind

    @property
    def samples_per_agent(self) -> int:
        """64, or 100 for plain D-SGD: the job that other packages are given."""
        return 100 if self.method == PLAIN_DSGD else 64

    @property
    def steps(self) -> int:
        """Local steps a round."""
        return -(-self.samples_per_agent // self.training.batch_size)

    @property
    def training(self) -> TrainingConfig:
        """The defaults, or plain SGD on plain cross-entropy."""
        if self.method == PLAIN_DSGD:
            return TrainingConfig(
                rounds=ROUNDS,
                optimizer="sgd",
                momentum=0.0,
                schedule="constant",
                prior_correction=0.0,
            )
        return TrainingConfig(rounds=ROUNDS)

    @property
    def built_method(self) -> Method:
        """The method itself; of PARSE the plain sum of slices, which the loop computes as well."""
        if self.method == PLAIN_DSGD:
            return DSGD_MLP
        return build_method(self.method, {"hold_out": 0} if self.method == "parse" else {})

    def data(self) -> MultimodalData:
        """A data set of random numbers: what they are does not change the work."""
        rng = np.random.default_rng(0)
        return MultimodalData(
            name=self.inputs,
            modalities={
                name: rng.standard_normal((POOL, *self.shape), dtype=np.float32)
                for name in self.names
            },
            kinds=dict.fromkeys(self.names, self.kind),
            label=np.arange(POOL) % CLASSES,
            label_names=tuple(str(label) for label in range(CLASSES)),
        )

    def shards(self) -> list[AgentData]:
        """The samples of every agent."""
        rng = np.random.default_rng(1)
        return [
            AgentData(agent, rng.choice(POOL, self.samples_per_agent, replace=False))
            for agent in self.mix.agents()
        ]

    def simulator(self, build: Callable[..., Simulator] = build_simulator) -> Simulator:
        """The package's simulator, all other settings left at their defaults, in a process that
        keeps freed memory as the command line's does."""
        keep_freed_memory()
        return build(
            TensorData(self.data(), torch.device(self.device), torch.float32),
            self.shards(),
            self.built_method,
            NetworkSpec(
                samples={name: SampleShape(name, self.kind, self.shape) for name in self.names},
                classes=CLASSES,
                config=NetworkConfig(hidden=self.hidden, latent=self.hidden * 3 // 2),
            ),
            training=self.training,
            overlay=OverlayConfig(topology=self.topology),
            compiled=self.compiled,
        )

    def input_bytes(self, modalities: int) -> int:
        """Bytes of an agent's minibatches of a round, each number in float32."""
        return 4 * self.steps * self.training.batch_size * modalities * prod(self.shape)
