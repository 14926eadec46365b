"""Simulate on several ranks: gather and scatter a state whose rows lie on all of them.

A checkpoint holds the state of one process, so that any number of ranks can go on from it.  What
travels is what a checkpoint holds, as safetensors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from safetensors.torch import load, save
from torch import Tensor

from parse_dfl.agents import AgentSpec, ModalityChange
from parse_dfl.branches import Branch, stable_hash
from parse_dfl.config import OverlayConfig, TrainingConfig
from parse_dfl.engine.agent_data import AgentData, TensorData
from parse_dfl.engine.gossip import Channel, MixingOf
from parse_dfl.engine.neighbourhood import MixingCache, Owners
from parse_dfl.engine.simulator import Simulator, State, count_samples
from parse_dfl.engine.trainer import Trainer
from parse_dfl.errors import CheckpointError, ConfigError
from parse_dfl.methods.base import Method
from parse_dfl.methods.byzantine_aggregation import robust_method
from parse_dfl.networks.network import NetworkSpec
from parse_dfl.overlays.mixing_matrix import MixingMatrix
from parse_dfl.overlays.topologies import Topology
from parse_dfl.ranks.group import Ranks
from parse_dfl.ranks.halo_exchange import Halo, HaloChannel, RowExchange
from parse_dfl.ranks.placement import BranchOwners, Name, Ownership, name_of, place_agents

MEMORY = "memory."
EDGES = "memory.edges"
"""Of a rule's memory: whose it is, (sender, receiver) by their stable hashes, shape=(E, 2)."""


def build_rank_simulator(
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
    ranks: Ranks,
) -> Simulator:
    """Return one rank's part of a federation: every rank is given all agents, and trains its own.

    See :func:`~parse_dfl.engine.simulator.build_simulator`.

    Raises:
        ConfigError: the method ties all agents together at every step, or there are more ranks
            than agents.
    """
    check_method(method, ranks)
    if len(agent_data) < ranks.size:
        raise ConfigError(
            f"{ranks.size} ranks for {len(agent_data)} agents; start at most {len(agent_data)} "
            "processes"
        )
    ownership = Ownership(agent_data, method.network, network_spec)
    mixing_cache = MixingCache(overlay, topology, count_samples(agent_data))
    homes = place_agents(
        ownership, method, mixing_cache, batch_size=training.batch_size, ranks=ranks.size
    )
    trainer = Trainer(
        data,
        agent_data,
        robust_method(method, overlay.robust),
        network_spec,
        training=training,
        changes=changes,
        compiled=compiled,
        is_trained_here=lambda agent: homes[name_of(agent)] == ranks.rank,
    )
    backend = RankBackend(trainer, ownership, homes, ranks)
    return Simulator(trainer, backend, mixing_cache, overlay)


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


class RankBackend:
    """All agents, of which this rank trains some (:class:`~parse_dfl.engine.simulator.Backend`)."""

    def __init__(
        self, trainer: Trainer, ownership: Ownership, homes: Mapping[Name, int], ranks: Ranks
    ) -> None:
        self.homes = homes
        self._trainer, self._ownership, self._ranks = trainer, ownership, ranks
        self._rows = RowExchange(ranks)
        self._halos: dict[Branch, Halo] = {}

    @property
    def agents(self) -> Sequence[AgentSpec]:
        """All agents, on whichever rank, in the order of one process."""
        return self._ownership.agents

    @property
    def owners(self) -> Mapping[Branch, Owners]:
        """Every branch and its owners on all ranks."""
        return self._ownership.branches

    def agents_changed(self) -> None:
        """Look up anew who owns what."""
        trainer = self._trainer
        self._ownership = Ownership(
            trainer.agent_data, trainer.method.network, trainer.network_spec
        )

    def channel(self, mixing_of: MixingOf) -> Channel:
        """Return the channel of one round."""
        return HaloChannel(mixing_of, self.owners, self._halo, self._rows)

    def _halo(self, owners: Owners, mixing: MixingMatrix) -> Halo:
        """Return the branch's halo; it is the same as long as the mixing is."""
        halo = self._halos.get(owners.branch)
        if halo is None or halo.mixing is not mixing:
            home = np.array([self.homes[name_of(agent)] for agent in owners.agents])
            halo = self._halos[owners.branch] = Halo(mixing, home, self._ranks.rank)
        return halo

    def gather(self, state: State) -> dict[str, Tensor]:
        """Return the state of all ranks on the main one; on others nothing."""
        if not self._ranks.is_main:
            self._ranks.send(_packed(state), to=0)
            return {}
        whole: dict[str, Tensor] = {}
        memories: dict[str, list[Tensor]] = {}
        for rank in range(self._ranks.size):
            part = state if rank == 0 else load(bytes(self._ranks.receive(rank)))
            self._add(whole, memories, part, rank)
        return whole | {key: torch.cat(parts) for key, parts in memories.items()}

    def _add(
        self,
        whole: dict[str, Tensor],
        memories: dict[str, list[Tensor]],
        part: State,
        rank: int,
    ) -> None:
        for branch, owners in self._ownership.branches.items():
            rows = self._rows_of(owners, rank)
            edges = _sent_by(part, str(branch), self._hashes(rank))
            for name, value in _branch_state(part, str(branch)).items():
                key = f"{branch}|{name}"
                if name.startswith(MEMORY):
                    memories.setdefault(key, []).append(value.cpu()[edges])
                    continue
                if key not in whole:
                    shape = (len(owners.agents), *value.shape[1:])
                    whole[key] = torch.empty(shape, dtype=value.dtype)
                whole[key][rows] = value.cpu()

    def scatter(self, state: State) -> State:
        """Return this rank's part of the state that the main rank gives.

        Raises:
            CheckpointError: the state is of another experiment.
        """
        with self._ranks.raise_together():
            if self._ranks.is_main:
                check_state(state, self._ownership)
        if not self._ranks.is_main:
            return load(bytes(self._ranks.receive(0)))
        for rank in range(1, self._ranks.size):
            self._ranks.send(_packed(self._part(state, rank)), to=rank)
        return self._part(state, 0)

    def _part(self, whole: State, rank: int) -> dict[str, Tensor]:
        part: dict[str, Tensor] = {}
        for branch, owners in self._ownership.branches.items():
            rows = self._rows_of(owners, rank)
            if not len(rows):
                continue
            edges = _sent_by(whole, str(branch), self._hashes(rank))
            for name, value in _branch_state(whole, str(branch)).items():
                part[f"{branch}|{name}"] = value[edges if name.startswith(MEMORY) else rows]
        return part

    def _rows_of(self, owners: BranchOwners, rank: int) -> Tensor:
        """Return the numbers of a rank's rows of a branch."""
        rows = [r for r, agent in enumerate(owners.agents) if self.homes[name_of(agent)] == rank]
        return torch.tensor(rows, dtype=torch.int64)

    def _hashes(self, rank: int) -> Tensor:
        """Return the stable hashes of a rank's agents."""
        agents = [agent for agent in self.agents if self.homes[name_of(agent)] == rank]
        return torch.tensor([stable_hash(agent.seed, agent.name) for agent in agents])


def check_state(state: State, ownership: Ownership) -> None:
    """Refuse a state that is not of these agents.

    Raises:
        CheckpointError: it holds other branches, or other rows or columns of one.
    """
    if {key.rpartition("|")[0] for key in state} != {str(b) for b in ownership.branches}:
        raise CheckpointError("the checkpoint holds the branches of another experiment")
    for branch, owners in ownership.branches.items():
        shape, needed = tuple(state[f"{branch}|theta"].shape), (len(owners.agents), owners.width)
        if shape != needed:
            raise CheckpointError(
                f"the checkpoint's branch {branch} has shape {shape}, this experiment's {needed}"
            )


def _branch_state(state: State, branch: str) -> dict[str, Tensor]:
    """Return the tensors of one branch, by name."""
    split = ((*key.rpartition("|"), value) for key, value in state.items())
    return {name: value for label, _, name, value in split if label == branch}


def _sent_by(state: State, branch: str, senders: Tensor) -> Tensor:
    """Choose the entries of a branch's memory that are those of the ``senders``.

    Raises:
        CheckpointError: the memory does not say whose its entries are.
    """
    tensors = _branch_state(state, branch)
    if any(name.startswith(MEMORY) for name in tensors) and EDGES not in tensors:
        raise CheckpointError(
            f"the exchange rule of {branch} keeps a memory without 'edges': several ranks cannot "
            "tell whose its entries are; run it in one process"
        )
    edges = tensors.get(EDGES, torch.empty((0, 2), dtype=torch.int64))
    return torch.isin(edges[:, 0].cpu(), senders)


def _packed(state: State) -> bytes:
    return save({name: value.detach().cpu().contiguous() for name, value in state.items()})
