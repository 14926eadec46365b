"""Simulate a federation: local training, then gossip, round by round.

All agents may be in this process, or a part of them (:mod:`parse_dfl.ranks.simulator`): what
differs is the backend, which knows everybody and the channel to them.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Protocol

import numpy as np
from torch import Tensor

from parse_dfl.agents import AgentSpec, ModalityChange
from parse_dfl.branches import Branch
from parse_dfl.config import OverlayConfig, TrainingConfig
from parse_dfl.engine.agent_data import AgentData, TensorData
from parse_dfl.engine.agent_stack import AgentStack
from parse_dfl.engine.evaluation import Scores
from parse_dfl.engine.gossip import Channel, Gossip, InProcessChannel, MixingOf, Payload
from parse_dfl.engine.layout import Layout
from parse_dfl.engine.neighbourhood import MixingCache, Owned, Owners, absent_agents
from parse_dfl.engine.optimizer import shares_second
from parse_dfl.engine.trainer import Trainer
from parse_dfl.errors import OverlayError
from parse_dfl.methods.base import Method, Stage
from parse_dfl.methods.byzantine_aggregation import Robust, robust_method
from parse_dfl.networks.network import NetworkSpec
from parse_dfl.overlays.mixing_matrix import least_eigenvalue
from parse_dfl.overlays.topologies import Topology

State = Mapping[str, Tensor]
"""As :meth:`Trainer.tensors` gives it: ``BRANCH|NAME`` → tensor."""


class Backend(Protocol):
    """All agents of a federation, those of other processes too, and the way to them."""

    @property
    def agents(self) -> Sequence[AgentSpec]:
        """All agents, stack by stack."""
        ...

    @property
    def owners(self) -> Mapping[Branch, Owners]:
        """Every branch and all its owners."""
        ...

    @property
    def homes(self) -> Mapping[tuple[int, str], int]:
        """The rank that trains an agent, by its seed and name, where there are several."""
        ...

    def agents_changed(self) -> None:
        """Take note that the modalities of some agents have changed."""
        ...

    def channel(self, mixing_of: MixingOf) -> Channel:
        """Return the channel of one round."""
        ...

    def gather(self, state: State) -> dict[str, Tensor]:
        """Return the state of all processes in the main one; in others nothing."""
        ...

    def scatter(self, state: State) -> State:
        """Return this process's part of the state that the main one gives."""
        ...


class InProcessBackend:
    """All agents are trained in this process."""

    homes: Mapping[tuple[int, str], int] = {}

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer

    @property
    def agents(self) -> Sequence[AgentSpec]:
        """All agents, stack by stack."""
        return self._trainer.layout.agents

    @property
    def owners(self) -> Mapping[Branch, Owners]:
        """Every branch and all its owners."""
        return self._trainer.layout.branches

    def agents_changed(self) -> None:
        """Do nothing: the layout is the trainer's own."""

    def channel(self, mixing_of: MixingOf) -> Channel:
        """Return the channel of one round."""
        return InProcessChannel(mixing_of)

    def gather(self, state: State) -> dict[str, Tensor]:
        """Return the state as it is."""
        return dict(state)

    def scatter(self, state: State) -> State:
        """Return the state as it is."""
        return state


class Simulator:
    """A federation, or several of different seeds side by side, trained round by round.

    Calls of :meth:`step`, :meth:`tensors` and :meth:`restore` must be made by every process.  The
    state after a round is a pure function of the arguments.

    Raises:
        OverlayError: robust aggregation or global momentum cannot work on an overlay.
    """

    def __init__(
        self, trainer: Trainer, backend: Backend, mixing_cache: MixingCache, overlay: OverlayConfig
    ) -> None:
        self.trainer, self.backend, self.mixing_cache = trainer, backend, mixing_cache
        self._absence = overlay.absence
        self._gossip = Gossip(
            share_second=shares_second(trainer.training),
            attackers=overlay.attackers,
            run=trainer.workers.run,
        )
        check_robust(trainer.method, backend.owners, mixing_cache)
        momentum = trainer.training.global_momentum
        check_momentum(momentum, trainer.method, backend.owners, mixing_cache)

    @property
    def round(self) -> int:
        """The round that ran last."""
        return self.trainer.round

    @property
    def layout(self) -> Layout:
        """The stacks and branch rows of this process."""
        return self.trainer.layout

    @property
    def stage(self) -> Stage:
        """The stage of the round that ran last."""
        return self.trainer.stage

    def evaluate(self, samples: Tensor) -> list[tuple[AgentStack, Scores]]:
        """Return the scores of this process's stacks on the samples numbered ``samples``."""
        return self.trainer.evaluate(samples)

    def step(self) -> None:
        """Run the next round."""
        if self.trainer.begin_round():
            self._agents_changed()
        absent = self._absent(self.round)
        self.trainer.train(absent)
        self._exchange(absent)

    def _exchange(self, absent: set[AgentSpec]) -> None:
        begin = time.perf_counter()
        channel = self.backend.channel(self._mixing_of(self.round, absent))
        with self.trainer.workers.alone():
            self._gossip.step(self.layout.branches, self.stage, channel, round=self.round)
        self.trainer.clock.mix += time.perf_counter() - begin

    def payload(self) -> Payload:
        """Return the payload of the last round; before any, of the first with nobody absent."""
        round = max(1, self.round)
        mixing_of = self._mixing_of(round, self._absent(round))
        return self._gossip.payload(self.backend.owners.values(), self.stage, mixing_of)

    @property
    def varies(self) -> bool:
        """Whether overlays change from round to round, or agents miss rounds."""
        return self.mixing_cache.topology.time_varying or bool(self._absence)

    def tensors(self) -> dict[str, Tensor]:
        """Return the whole state, for a checkpoint; on ranks but the main one nothing."""
        return self.backend.gather(self.trainer.tensors())

    def restore(self, tensors: State, round: int) -> None:
        """Go on from the state after ``round``, which the main rank gives as a whole.

        Raises:
            CheckpointError: the tensors are of another experiment.
        """
        if self.trainer.skip_to(round):
            self._agents_changed()
        self.trainer.restore(self.backend.scatter(tensors), round)

    def _agents_changed(self) -> None:
        self.backend.agents_changed()
        self.mixing_cache.forget()

    def _absent(self, round: int) -> set[AgentSpec]:
        return absent_agents(self.backend.agents, self._absence, round)

    def _mixing_of(self, round: int, absent: set[AgentSpec]) -> MixingOf:
        return partial(self.mixing_cache.mixing, stage=self.stage, round=round, absent=absent)


def build_simulator(
    data: TensorData,
    agent_data: Sequence[AgentData],
    method: Method,
    network_spec: NetworkSpec,
    *,
    training: TrainingConfig,
    overlay: OverlayConfig = OverlayConfig(),  # noqa: B008 - frozen
    topology: Topology | None = None,
    changes: Sequence[ModalityChange] = (),
    compiled: bool = False,
) -> Simulator:
    """Return a simulator that trains all agents in this process; see :class:`Trainer`.

    ``topology`` is used in place of the one that ``overlay`` names.
    """
    trainer = Trainer(
        data,
        agent_data,
        robust_method(method, overlay.robust),
        network_spec,
        training=training,
        changes=changes,
        compiled=compiled,
    )
    mixing_cache = MixingCache(overlay, topology, count_samples(agent_data))
    return Simulator(trainer, InProcessBackend(trainer), mixing_cache, overlay)


def count_samples(agent_data: Iterable[AgentData]) -> dict[tuple[int, str], int]:
    """Return the number of samples of each agent, by its seed and name."""
    return {(entry.agent.seed, entry.agent.name): len(entry.indices) for entry in agent_data}


class UnguardedWarning(UserWarning):
    """Robust aggregation was asked for, and something is exchanged without it."""


def check_robust(method: Method, owners: Mapping[Branch, Owned], mixing_cache: MixingCache) -> None:
    """Check robust aggregation against every branch's overlay of the first round.

    Raises:
        OverlayError: the rule is ill-posed for the neighbours that someone has there.

    Warns:
        UnguardedWarning: some components are exchanged by a rule of the method's own.
    """
    unguarded: set[str] = set()
    for stage in method.stages:
        if not isinstance(stage.averaging, Robust):
            continue
        for branch, owned in owners.items():
            mixing = mixing_cache.mixing(owned, stage, 1)
            if not len(mixing.source):
                continue
            if stage.exchange(branch) is not stage.averaging:
                unguarded.add(branch.component)
                continue
            degrees = np.bincount(mixing.target, minlength=mixing.size)
            for agent, degree in zip(owned.agents, degrees.tolist(), strict=True):
                stage.averaging.check(branch.label, agent.name, degree)
    if unguarded:
        warnings.warn(
            f"{method.name} exchanges {', '.join(sorted(unguarded))} by a rule of its own, which "
            "robust mixing does not guard against attackers",
            UnguardedWarning,
            stacklevel=2,
        )


def check_momentum(
    coefficient: float,
    method: Method,
    owners: Mapping[Branch, Owned],
    mixing_cache: MixingCache,
) -> None:
    """Refuse a global momentum that would drive neighbours apart (see
    :func:`~parse_dfl.engine.optimizer.add_quasi_global_momentum`).

    Overlays that change from round to round are not looked at.

    Raises:
        OverlayError: an overlay's W has an eigenvalue of −1/(1 + 2 ``coefficient``) or below.
    """
    if not coefficient or mixing_cache.topology.time_varying:
        return
    bound = -1 / (1 + 2 * coefficient)
    for stage in method.stages:
        for branch, owned in owners.items():
            mixing = mixing_cache.mixing(owned, stage, 1)
            least = least_eigenvalue(mixing) if len(mixing.source) else 1.0
            if least <= bound:
                most = max(0.0, (-1 / least - 1) / 2)
                raise OverlayError(
                    f"global momentum {coefficient:g} drives the agents on {branch.label} apart: W "
                    f"has an eigenvalue of {least:.3f} there, and it bears none below {bound:.3f}; "
                    f"use less than --global-momentum {most:.2f}, or another topology, such as ring"
                )
