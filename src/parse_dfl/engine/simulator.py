"""All agents in one process, and the checks that mixing can work on their overlays."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence

import numpy as np

from parse_dfl.agents import AgentSpec, ModalityChange
from parse_dfl.branches import Branch
from parse_dfl.byzantine import Attacker
from parse_dfl.config import OverlayConfig, TrainingConfig
from parse_dfl.engine.agent_data import AgentData, TensorData
from parse_dfl.engine.gossip import Exchanger, Owners, Payload
from parse_dfl.engine.mixing_cache import MixingCache, Owned
from parse_dfl.engine.optimizer import MOMENTS
from parse_dfl.engine.trainer import Trainer, absent_agents
from parse_dfl.engine.workers import keep_freed_memory
from parse_dfl.errors import OverlayError
from parse_dfl.methods.base import Method
from parse_dfl.methods.byzantine_aggregation import Robust, robust_method
from parse_dfl.networks.network_spec import NetworkSpec
from parse_dfl.overlays.mixing_matrix import least_eigenvalue
from parse_dfl.overlays.topologies import Topology


class UnguardedWarning(UserWarning):
    """Robust mixing was asked for, and something is exchanged without it."""


def check_robust(method: Method, owners: Mapping[Branch, Owned], book: MixingCache) -> None:
    """Look at every branch's overlay of the first round.

    Raises:
        OverlayError: the robust rule is ill-posed for the neighbours that someone has there.

    Warns:
        UnguardedWarning: some components are exchanged by a rule of the method's own.
    """
    unguarded: set[str] = set()
    for number, stage in enumerate(method.stages):
        if not isinstance(stage.averaging, Robust):
            continue
        for branch, rows in owners.items():
            mixing = book.mixing(rows, stage, number, 1)
            if not len(mixing.source):
                continue
            if stage.exchange(branch) is not stage.averaging:
                unguarded.add(branch.component)
                continue
            degrees = np.bincount(mixing.target, minlength=mixing.size)
            for agent, degree in zip(rows.agents, degrees.tolist(), strict=True):
                stage.averaging.check(branch.label, agent.name, degree)
    if unguarded:
        warnings.warn(
            f"{method.name} exchanges {', '.join(sorted(unguarded))} by a rule of its own, which "
            "robust mixing does not validator against attackers",
            UnguardedWarning,
            stacklevel=2,
        )


def check_momentum(
    share: float, method: Method, owners: Mapping[Branch, Owned], book: MixingCache
) -> None:
    """Refuse a global momentum that would drive neighbours apart (training/momentum.py).

    Overlays that change from round to round are not looked at.

    Raises:
        OverlayError: an overlay's W has an eigenvalue of −1/(1 + 2 ``share``) or below.
    """
    if not share or book.topology.time_varying:
        return
    bound = -1 / (1 + 2 * share)
    for number, stage in enumerate(method.stages):
        for branch, rows in owners.items():
            mixing = book.mixing(rows, stage, number, 1)
            least = least_eigenvalue(mixing) if len(mixing.source) else 1.0
            if least <= bound:
                most = max(0.0, (-1 / least - 1) / 2)
                raise OverlayError(
                    f"global momentum {share:g} drives the agents on {branch.label} apart: W has "
                    f"an eigenvalue of {least:.3f} there, and it bears none below {bound:.3f}; use "
                    f"less than --global-momentum {most:.2f}, or another topology, such as ring"
                )


class Simulator(Trainer):
    """A federation, or several of different seeds side by side, in one process.

    A round is local training, then mixing (contract).  The state after a round is a pure
    function of the arguments.  The process keeps some freed memory from now on
    (:mod:`parse_dfl.engine.workers`).
    """

    def __init__(
        self,
        data: TensorData,
        shards: Sequence[AgentData],
        method: Method,
        network_spec: NetworkSpec,
        *,
        training: TrainingConfig,
        overlay: OverlayConfig = OverlayConfig(),  # noqa: B008 - frozen
        topology: Topology | None = None,
        events: Sequence[ModalityChange] = (),
        compiled: bool = False,
        book: MixingCache | None = None,
    ) -> None:
        keep_freed_memory()
        super().__init__(
            data,
            shards,
            robust_method(method, overlay.robust),
            network_spec,
            training=training,
            events=events,
            compiled=compiled,
        )
        self._absence = overlay.absence
        self.book = book or MixingCache(overlay, topology, samples_of(shards))
        self._exchanger = self._build_exchanger(overlay.attackers)
        check_robust(self.method, self.owners, self.book)
        check_momentum(training.global_momentum, self.method, self.owners, self.book)

    def _build_exchanger(self, attackers: Sequence[Attacker]) -> Exchanger:
        return Exchanger(
            self.book, share_second=self.shares_second, attackers=attackers, workers=self.workers
        )

    @property
    def owners(self) -> Mapping[Branch, Owners]:
        """Every branch and who owns it."""
        return self.layout.branches

    @property
    def agents(self) -> Sequence[AgentSpec]:
        """All agents, stack by stack."""
        return self.layout.agents

    @property
    def homes(self) -> Mapping[tuple[int, str], int]:
        """The rank that trains an agent, by its seed and name, where there are several."""
        return {}

    @property
    def shares_second(self) -> bool:
        """Whether second moments are exchanged together with the parameters."""
        asked = self.training.share_moments == "second"
        return asked and "second" in MOMENTS[self.training.optimizer]

    def step(self) -> None:
        """Run the next round."""
        self.begin_round()
        absent = absent_agents(self.agents, self._absence, self.round)
        self.train(absent)
        begin = time.perf_counter()
        with self.workers.alone():
            self._exchanger.exchange(
                self.layout, self.stage, self.stage_number, round=self.round, absent=absent
            )
        self.clock.mix += time.perf_counter() - begin

    def payload(self) -> Payload:
        """What the last round sent (before any: what the first would, nobody absent)."""
        round = max(1, self.round)
        absent = absent_agents(self.agents, self._absence, round)
        return self._exchanger.payload(
            self.owners, self.stage, self.stage_number, round=round, absent=absent
        )

    @property
    def varies(self) -> bool:
        """Whether overlays change from round to round, or agents miss rounds."""
        return self.book.topology.time_varying or bool(self._absence)

    def _happen(self, round: int) -> bool:
        changed = super()._happen(round)
        if changed:
            self.book.forget()
        return changed


def samples_of(shards: Sequence[AgentData]) -> dict[tuple[int, str], int]:
    """The number of samples of each agent, by its seed and name."""
    return {(shard.agent.seed, shard.agent.name): len(shard.indices) for shard in shards}
