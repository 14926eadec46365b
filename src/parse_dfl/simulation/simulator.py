"""All agents in one process: local training of every cohort, then mixing, round by round."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import Branch
from parse_dfl.events import ModalityEvent
from parse_dfl.liars import Liar, parse_liar
from parse_dfl.methods.method import Method
from parse_dfl.methods.robust import robust_method
from parse_dfl.networks.blueprint import Blueprint
from parse_dfl.overlays.config import OverlayConfig
from parse_dfl.overlays.topologies import Topology
from parse_dfl.simulation.allocator import keep_freed_memory
from parse_dfl.simulation.exchange import Exchanger, Owners, Payload
from parse_dfl.simulation.well_posed import check_momentum, check_robust
from parse_dfl.training.churn import absent_agents
from parse_dfl.training.config import TrainingConfig
from parse_dfl.training.learner import Learner
from parse_dfl.training.optimizer import MOMENTS
from parse_dfl.training.overlays import OverlayBook
from parse_dfl.training.shards import Shard, TensorData


class Simulator(Learner):
    """A federation, or several of different seeds side by side, in one process.

    A round is local training, then mixing (contract).  The state after a round is a pure
    function of the arguments.  The process keeps some freed memory from now on
    (:mod:`parse_dfl.simulation.allocator`).
    """

    def __init__(
        self,
        data: TensorData,
        shards: Sequence[Shard],
        method: Method,
        blueprint: Blueprint,
        *,
        training: TrainingConfig,
        overlay: OverlayConfig = OverlayConfig(),  # noqa: B008 - frozen
        topology: Topology | None = None,
        events: Sequence[ModalityEvent] = (),
        compiled: bool = False,
        book: OverlayBook | None = None,
    ) -> None:
        keep_freed_memory()
        super().__init__(
            data,
            shards,
            robust_method(method, overlay.robust),
            blueprint,
            training=training,
            events=events,
            compiled=compiled,
        )
        self._absence = overlay.absence
        self.book = book or OverlayBook(overlay, topology, samples_of(shards))
        self._exchanger = self._build_exchanger([parse_liar(text) for text in overlay.liars])
        check_robust(self.method, self.owners, self.book)
        check_momentum(training.global_momentum, self.method, self.owners, self.book)

    def _build_exchanger(self, liars: Sequence[Liar]) -> Exchanger:
        return Exchanger(
            self.book, share_second=self.shares_second, liars=liars, workers=self.workers
        )

    @property
    def owners(self) -> Mapping[Branch, Owners]:
        """Every branch and who owns it."""
        return self.layout.branches

    @property
    def agents(self) -> Sequence[AgentSpec]:
        """All agents, cohort by cohort."""
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


def samples_of(shards: Sequence[Shard]) -> dict[tuple[int, str], int]:
    """The number of samples of each agent, by its seed and name."""
    return {(shard.agent.seed, shard.agent.name): len(shard.indices) for shard in shards}
