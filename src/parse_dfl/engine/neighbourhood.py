"""Compute every branch's overlays and mixing, who is absent, and the rows that a rule sees.

Nothing here depends on where rows lie: a simulator, a rank and a peer ask the same functions.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import Branch
from parse_dfl.config import OverlayConfig
from parse_dfl.engine.sampler import agent_key
from parse_dfl.engine.state import BranchState
from parse_dfl.methods.base import Stage
from parse_dfl.networks.counter_rng import hash_counters
from parse_dfl.overlays.graph import Edges
from parse_dfl.overlays.mixing_matrix import MixingMatrix, metropolis
from parse_dfl.overlays.topologies import Topology

Index = NDArray[np.int64]


@dataclass(frozen=True)
class OverlayKey:
    """One overlay: its label, the federation's seed and its members' names."""

    label: str
    seed: int
    members: tuple[str, ...]


class Owned(Protocol):
    """A branch and its owners: the rows of a simulator, or what a peer has heard of."""

    @property
    def branch(self) -> Branch:
        """The branch that is owned."""
        ...

    @property
    def agents(self) -> Sequence[AgentSpec]:
        """The owners; positions in this sequence are the rows of the mixing."""
        ...


class Owners(Owned, Protocol):
    """A branch, its owners and its size, wherever their rows are."""

    @property
    def width(self) -> int:
        """Number of parameters P."""
        ...


class MixingCache:
    """Computes overlays and mixing matrices, and keeps those that do not change between rounds."""

    def __init__(
        self,
        config: OverlayConfig,
        topology: Topology | None,
        samples: Mapping[tuple[int, str], int],
    ) -> None:
        """Take ``samples``, each agent's number of training samples by seed and name, for mixing
        by sample counts."""
        self.topology = topology or Topology.of(config.topology)
        self._by_samples = config.by_samples
        self._samples = samples
        self._edges: dict[OverlayKey, Edges] = {}
        self._mixings: dict[tuple[Branch, int], MixingMatrix] = {}

    def mixing(
        self, owned: Owned, stage: Stage, round: int, absent: Collection[AgentSpec] = ()
    ) -> MixingMatrix:
        """Return the branch's mixing over all its owners in a round, without the ``absent``."""
        mixing = self._mixings.get((owned.branch, stage.number))
        if mixing is None:
            mixing = self._combined(owned, stage, round)
        if not absent:
            return mixing
        return mixing.drop_nodes(np.array([agent in absent for agent in owned.agents]))

    def _combined(self, owned: Owned, stage: Stage, round: int) -> MixingMatrix:
        parts = []
        for overlay, rows in self.overlays(owned, stage).items():
            edges = self.edges(overlay, round)
            counts = [self._samples[overlay.seed, name] for name in overlay.members]
            weights = np.array(counts) if self._by_samples else None
            parts.append((metropolis(edges, samples=weights), rows))
        mixing = MixingMatrix.combine(parts, size=len(owned.agents))
        if not self.topology.time_varying:
            self._mixings[owned.branch, stage.number] = mixing
        return mixing

    def overlays(self, owned: Owned, stage: Stage) -> dict[OverlayKey, Index]:
        """Group the owners by the stage's sharing rule: overlay → the rows of its members."""
        groups: dict[tuple[str, int], list[int]] = {}
        for row, agent in enumerate(owned.agents):
            label = stage.sharing(owned.branch, agent)
            if label is not None:
                groups.setdefault((label, agent.seed), []).append(row)
        return {
            OverlayKey(label, seed, tuple(owned.agents[row].name for row in rows)): np.array(rows)
            for (label, seed), rows in groups.items()
        }

    def edges(self, overlay: OverlayKey, round: int) -> Edges:
        """Return the overlay's edges in a round."""
        if overlay in self._edges:
            return self._edges[overlay]
        edges = self.topology.edges(
            overlay.members, round=round, seed=overlay.seed, label=overlay.label
        )
        if not self.topology.time_varying:
            self._edges[overlay] = edges
        return edges

    def forget(self) -> None:
        """Compute all overlays anew: the agents or what they own has changed."""
        self._edges.clear()
        self._mixings.clear()


def absent_agents(agents: Sequence[AgentSpec], probability: float, round: int) -> set[AgentSpec]:
    """Sample the agents that miss a round, each independently from hash(seed, agent, round)."""
    if not probability:
        return set()
    keys = np.array([agent_key(agent, "absence") for agent in agents], dtype=np.uint64)
    draws = hash_counters(keys, np.full(len(keys), round, dtype=np.uint64))
    absent = draws < np.uint64(min(int(probability * 2**64), 2**64 - 1))
    return {agent for agent, is_absent in zip(agents, absent, strict=True) if is_absent}


@dataclass(frozen=True, kw_only=True)
class Neighbourhood:
    """Rows of one branch that exchange: this process's own among those of their neighbours.

    ``own_rows`` are the positions of the own rows, shape=(h,); None: all rows are own.
    ``row_numbers`` and ``edge_numbers`` are those among the whole federation's; None: those of
    ``mixing``.
    """

    agents: Sequence[AgentSpec]  # the owner of each row
    mixing: MixingMatrix
    own_rows: Index | None = None
    row_numbers: Index | None = None
    edge_numbers: Index | None = None

    def spread(self, values: Tensor) -> Tensor:
        """Return ``values`` of the own rows among all; those of neighbours are never used."""
        if self.own_rows is None:
            return values
        shape = (len(self.agents), *values.shape[1:])
        if len(values) == 1:
            return values.expand(shape)
        index = torch.from_numpy(self.own_rows).to(values.device)
        return values.new_zeros(shape).index_copy_(0, index, values)

    def select_own(self, values: Tensor) -> Tensor:
        """Return the own ones of all rows."""
        if self.own_rows is None:
            return values
        return values[torch.from_numpy(self.own_rows).to(values.device)]


class NeighbourhoodView:
    """A branch as its aggregation rule sees it (:class:`~parse_dfl.methods.base.BranchView`).

    Only the own rows of a neighbourhood hold anything of use, and what a rule makes of the others
    is thrown away.
    """

    def __init__(
        self,
        rows: BranchState,
        branches: Mapping[Branch, BranchState],
        neighbourhood: Neighbourhood,
    ) -> None:
        self._rows, self._branches, self._neighbourhood = rows, branches, neighbourhood
        self.agents: Sequence[AgentSpec] = neighbourhood.agents

    @property
    def params(self) -> Tensor:
        """Parameters after local training, shape=(n, P)."""
        return self._neighbourhood.spread(self._rows.params)

    @property
    def previous(self) -> Tensor:
        """Parameters as the round began, shape=(n, P)."""
        assert self._rows.previous is not None, "the rule must say that it needs_previous"
        return self._neighbourhood.spread(self._rows.previous)

    @property
    def memory(self) -> dict[str, Tensor]:
        """The rule's own tensors."""
        return self._rows.memory

    @property
    def progress(self) -> float:
        """The share of all rounds that have begun."""
        return self._rows.progress

    def drift(self, component: str) -> Tensor:
        """Return ‖θ − θ_start‖ of each owner's branches of ``component``, shape=(n, M)."""
        norms: dict[tuple[int, str], dict[str, Tensor]] = {}
        for branch, rows in sorted(self._branches.items()):
            if branch.component == component:
                assert rows.stage_start is not None, "the stage must track this component's drift"
                lengths = (rows.params - rows.stage_start).norm(dim=1)
                for agent, length in zip(rows.agents, lengths, strict=True):
                    norms.setdefault((agent.seed, agent.name), {})[branch.modality] = length
        by_agent = [norms[agent.seed, agent.name] for agent in self._rows.agents]
        by_modality = [torch.stack([row[name] for name in sorted(row)]) for row in by_agent]
        return self._neighbourhood.spread(torch.stack(by_modality))
