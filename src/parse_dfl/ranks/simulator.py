"""A simulator whose rows are shared out over ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import Tensor

from parse_dfl.agents import AgentSpec, ModalityChange
from parse_dfl.branches import Branch
from parse_dfl.byzantine import Attacker
from parse_dfl.config import OverlayConfig, TrainingConfig
from parse_dfl.engine.agent_data import AgentData, TensorData
from parse_dfl.engine.gossip import Exchanger
from parse_dfl.engine.layout import Layout
from parse_dfl.engine.mixing_cache import MixingCache
from parse_dfl.engine.sampler import local_steps
from parse_dfl.engine.simulator import Simulator, samples_of
from parse_dfl.engine.trainer import apply_event
from parse_dfl.errors import ConfigError
from parse_dfl.methods.base import Method
from parse_dfl.networks.network_spec import NetworkSpec
from parse_dfl.overlays.topologies import Topology
from parse_dfl.ranks.group import Ranks
from parse_dfl.ranks.ownership import Name, Owners, Roster, name_of
from parse_dfl.ranks.placement import homes
from parse_dfl.ranks.rule_exchange import ShardedExchanger
from parse_dfl.ranks.state import StateKeeper


class ShardedSimulator(Simulator):
    """One rank's part of a federation: every rank is given all shards, and trains its own.

    :meth:`step`, :meth:`tensors` and :meth:`restore` must be called by every rank.

    Raises:
        ConfigError: the method ties all agents together at every step, or there are more ranks
            than agents.
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
        ranks: Ranks,
    ) -> None:
        check_method(method, ranks)
        if len(shards) < ranks.size:
            raise ConfigError(
                f"{ranks.size} ranks for {len(shards)} agents; start at most {len(shards)} "
                "processes"
            )
        self.ranks = ranks
        self.roster = Roster(shards, method.network, network_spec)
        book = MixingCache(overlay, topology, samples_of(shards))
        self._homes = homes(
            self.roster, method, book, batch_size=training.batch_size, ranks=ranks.size
        )
        sizes = [len(shard.indices) for shard in shards]
        steps = local_steps(sizes, training.batch_size, training.local_epochs, training.local_steps)
        super().__init__(
            data,
            [s for s in shards if self.homes[name_of(s.agent)] == ranks.rank],
            method,
            network_spec,
            training=replace(training, local_steps=steps),
            overlay=overlay,
            topology=topology,
            events=events,
            compiled=compiled,
            book=book,
        )
        self._keeper = StateKeeper(ranks, self.homes)

    def _build_exchanger(self, attackers: Sequence[Attacker]) -> Exchanger:
        self._sharded = ShardedExchanger(
            self.book,
            share_second=self.shares_second,
            attackers=attackers,
            ranks=self.ranks,
            roster=self.roster,
            home=self.homes,
        )
        return self._sharded

    @property
    def owners(self) -> Mapping[Branch, Owners]:
        """Every branch and its owners on all ranks."""
        return self.roster.branches

    @property
    def agents(self) -> Sequence[AgentSpec]:
        """All agents, on whichever rank, in the order of one process."""
        return self.roster.agents

    @property
    def homes(self) -> Mapping[Name, int]:
        """The rank that trains an agent."""
        return self._homes

    def _build(self) -> Layout:
        self._shards = self.roster.in_order(self._shards)
        return super()._build()

    def _happen(self, round: int) -> bool:
        due = [event for event in self._events if event.round == round]
        if due:
            agents = {name_of(agent): agent for agent in self.roster.agents}
            for event in due:
                agents = {name: apply_event(agent, event) for name, agent in agents.items()}
            self.roster = self._sharded.roster = self.roster.changed(agents)
        return super()._happen(round)

    def tensors(self) -> dict[str, Tensor]:
        """The whole state of all ranks on the first one; on others nothing."""
        return self._keeper.gather(super().tensors(), self.roster)

    def restore(self, tensors: Mapping[str, Tensor], round: int) -> None:
        """Go on from the state after ``round``, which the first rank gives as a whole.

        Raises:
            CheckpointError: the tensors are of another experiment.
        """
        self.skip_to(round)
        super().restore(self._keeper.scatter(tensors, self.roster), round)


def check_method(method: Method, ranks: Ranks) -> None:
    """Refuse a method that ties all agents together at every step.

    Raises:
        ConfigError: it does.
    """
    if method.centralised:
        raise ConfigError(
            f"{method.name} ties the gradients of all agents at every step, which "
            f"{ranks.size} ranks cannot; run it in one process, without torchrun"
        )
