"""Place agents on ranks: all agents there are, and the rank that trains each.

Placement is a graph partition, so that few overlay edges are cut.  Recursive bisection: the agents
are ordered so that neighbours stand near each other (reverse Cuthill-McKee), cut where the work is
halved, and exchanged over the cut while that makes it lighter.

Source of the last step: C. M. Fiduccia, R. M. Mattheyses, "A Linear-Time Heuristic for Improving
Network Partitions", DAC 1982; here with weights, and a heap in place of buckets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import Branch
from parse_dfl.engine.agent_data import AgentData
from parse_dfl.engine.layout import architecture_groups
from parse_dfl.engine.neighbourhood import MixingCache
from parse_dfl.engine.state import param_slices
from parse_dfl.methods.base import Method, NetworkBuilder
from parse_dfl.networks.network import Network, NetworkSpec
from parse_dfl.torch_internals import OperationCounter

Weights = NDArray[np.float64]
Index = NDArray[np.int64]
Sides = NDArray[np.bool_]
Graph = Any
"""A symmetric sparse matrix of scipy's, which has no types."""
Name = tuple[int, str]
"""An agent's seed and name: what it keeps when its modalities change."""

OPERATIONS_PER_PARAMETER = 75
"""A step passes over a parameter, its gradient and its moments five times, 20 bytes: at 31 GB/s as
long as so many operations at 115 GFLOP/s (both measured, benchmarks/speed)."""
PASSES = 3
"""A forward pass, and a backward pass of twice its operations."""
TIME_VARYING_ROUNDS = 8
"""Rounds whose overlays are looked at where they change."""


def name_of(agent: AgentSpec) -> Name:
    """Return the agent's :data:`Name`."""
    return agent.seed, agent.name


@dataclass(frozen=True)
class BranchOwners:
    """A branch and all its owners, in the order of its rows in one process."""

    branch: Branch
    agents: list[AgentSpec]
    width: int


@dataclass(frozen=True)
class Work:
    """Cost of an agent: operations of a forward pass per sample, and its parameters, which every
    step updates."""

    forward: int
    parameters: int


class Ownership:
    """All agents of all ranks, stack by stack, and the owners of every branch, without any rows."""

    def __init__(
        self,
        agent_data: Sequence[AgentData],
        build_network: NetworkBuilder,
        network_spec: NetworkSpec,
    ) -> None:
        self.agents: list[AgentSpec] = []
        self.work: dict[AgentSpec, Work] = {}
        self.branches: dict[Branch, BranchOwners] = {}
        for group in architecture_groups(agent_data):
            agents = [entry.agent for entry in group]
            network = build_network(network_spec, agents[0])
            self.agents += agents
            for label, branch in network.branches.items():
                empty = BranchOwners(branch, [], _width(network, label))
                self.branches.setdefault(branch, empty).agents.extend(agents)
            self.work |= dict.fromkeys(agents, _count_work(network, network_spec, agents[0]))


def _width(network: Network, label: str) -> int:
    return sum(columns.width for columns in param_slices(network.parts[label]))


def _count_work(network: Network, network_spec: NetworkSpec, agent: AgentSpec) -> Work:
    inputs = {name: torch.zeros(1, *network_spec.samples[name].shape) for name in agent.modalities}
    with torch.no_grad(), OperationCounter() as counter:
        network.eval()(inputs)
    parameters = sum(_width(network, label) for label in network.branches)
    return Work(forward=counter.total, parameters=parameters)


def place_agents(
    ownership: Ownership, method: Method, mixing_cache: MixingCache, *, batch_size: int, ranks: int
) -> dict[Name, int]:
    """Return the rank of every agent: equal work for all, and few bytes between them.

    An agent stays where it is when its modalities change, so that no state ever moves.
    """
    work = np.array([_operations(ownership.work[a], batch_size) for a in ownership.agents])
    pairs, weight = _links(ownership, method, mixing_cache)
    part = partition_graph(work, pairs, weight, ranks)
    return {name_of(agent): int(rank) for agent, rank in zip(ownership.agents, part, strict=True)}


def _operations(work: Work, batch_size: int) -> float:
    """Return the operations of one local step."""
    return PASSES * batch_size * work.forward + OPERATIONS_PER_PARAMETER * work.parameters + 1.0


def _links(
    ownership: Ownership, method: Method, mixing_cache: MixingCache
) -> tuple[Index, Weights]:
    """Return pairs of agents that exchange anything, shape=(E, 2), and how many numbers a round."""
    rounds = range(1, TIME_VARYING_ROUNDS + 1 if mixing_cache.topology.time_varying else 2)
    position = {agent: index for index, agent in enumerate(ownership.agents)}
    pairs, weights = [np.empty((0, 2), dtype=np.int64)], [np.empty(0)]
    for stage in method.stages:
        for branch, owners in ownership.branches.items():
            row = np.array([position[agent] for agent in owners.agents])
            numbers = (
                stage.exchange(branch).numbers_sent(owners.width) * stage.fraction / len(rounds)
            )
            for round in rounds:
                mixing = mixing_cache.mixing(owners, stage, round)
                ends = np.stack([mixing.source, mixing.target], axis=1)
                pairs.append(row[ends])
                weights.append(np.full(len(ends), float(numbers)))
    return np.concatenate(pairs), np.concatenate(weights)


MOST_PASSES = 10
LEAST_GAIN = 1e-9
"""Relative: below it, rounding would move vertices to and fro."""
CROWDED = 64
"""With more links a vertex than this, every cut is about as heavy as every other."""


def partition_graph(work: Weights, pairs: Index, weight: Weights, parts: int) -> Index:
    """Return the part of each of n vertices, shape=(n,).

    Args:
        work: what each vertex costs, shape=(n,), all above 0.
        pairs: links between vertices, shape=(E, 2), in any order and direction.
        weight: what it costs to cut each, shape=(E,).
        parts: into how many, at most n.
    """
    graph = _graph(len(work), pairs, weight)
    part = np.zeros(len(work), dtype=np.int64)
    _split(np.arange(len(work)), work, graph, part, first=0, parts=parts)
    return part


def cut_weight(part: Index, pairs: Index, weight: Weights) -> float:
    """Return the total weight of the links between different parts."""
    return float(weight[part[pairs[:, 0]] != part[pairs[:, 1]]].sum())


def _graph(size: int, pairs: Index, weight: Weights) -> Graph:
    """Return the symmetric sparse matrix of all links, without loops."""
    from scipy.sparse import coo_array

    apart = pairs[:, 0] != pairs[:, 1]
    i, j = pairs[apart].T
    half = coo_array((weight[apart], (i, j)), shape=(size, size))
    return (half + half.T).tocsr()


def _split(
    nodes: Index, work: Weights, graph: Graph, part: Index, *, first: int, parts: int
) -> None:
    part[nodes] = first
    if parts == 1:
        return
    near = parts // 2
    within = graph[nodes][:, nodes].tocsr()
    far = _bisect(within, work[nodes], near / parts, (near, parts - near))
    _split(nodes[~far], work, graph, part, first=first, parts=near)
    _split(nodes[far], work, graph, part, first=first + near, parts=parts - near)


def _bisect(graph: Graph, work: Weights, share: float, least: tuple[int, int]) -> Sides:
    """Choose the vertices of the second side, shape=(n,); the first gets ``share`` of the work, and
    each at least so many vertices."""
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    size = len(work)
    orders = [np.arange(size), np.asarray(reverse_cuthill_mckee(graph, symmetric_mode=True))]
    cuts = []
    for order in orders:
        far = _halved(order, work, share, least)
        if graph.nnz <= CROWDED * size:
            far = _Refinement(graph, work, far, least).run()
        cuts.append((_crossing(graph, far), far))
    return min(cuts, key=lambda cut: cut[0])[1]


def _halved(order: Index, work: Weights, share: float, least: tuple[int, int]) -> Sides:
    reached = np.cumsum(work[order])
    middle = int(np.argmin(np.abs(reached - share * reached[-1]))) + 1
    far = np.ones(len(work), dtype=bool)
    far[order[: min(max(middle, least[0]), len(work) - least[1])]] = False
    return far


def _crossing(graph: Graph, far: Sides) -> float:
    return float(graph[~far][:, far].sum())


class _Refinement:
    """Moves vertices over the cut, the best first, each once a pass; keeps the best moment.

    No side ends with more work than it began with by more than half of the largest vertex's,
    nor with fewer vertices than it needs; meanwhile it may by a vertex.
    """

    def __init__(self, graph: Graph, work: Weights, far: Sides, least: tuple[int, int]) -> None:
        bounds = graph.indptr.tolist()
        ends, weights = graph.indices.tolist(), graph.data.tolist()
        self._links = [list(zip(ends[a:b], weights[a:b], strict=True)) for a, b in pairwise(bounds)]
        self._work = work.tolist()
        self._far = far.tolist()
        self._slack = float(work.max())
        self._surplus = 0.0  # work that went to the second side
        self._fewest, self._most = least[1], len(work) - least[0]  # vertices of the second side

    def run(self) -> Sides:
        """Return the second side when no pass gains any more."""
        for _ in range(MOST_PASSES):
            if not self._pass():
                break
        return np.array(self._far)

    def _gain(self, vertex: int) -> float:
        side = self._far[vertex]
        return sum(w if self._far[other] != side else -w for other, w in self._links[vertex])

    def _pass(self) -> bool:
        """Move all vertices once; return whether the cut became lighter."""
        far, size = self._far, len(self._far)
        gain = [self._gain(vertex) for vertex in range(size)]
        heaps: dict[bool, list[tuple[float, int]]] = {
            side: [(-gain[v], v) for v in range(size) if far[v] == side] for side in (False, True)
        }
        for heap in heaps.values():
            heapify(heap)
        locked = [False] * size
        moved: list[int] = []
        total, best, kept = 0.0, 0.0, 0
        surplus, count, balance = self._surplus, sum(far), self._surplus
        while True:
            vertex = self._next(heaps, gain, locked, surplus)
            if vertex is None:
                break
            total += gain[vertex]
            surplus += -self._work[vertex] if far[vertex] else self._work[vertex]
            count += -1 if far[vertex] else 1
            far[vertex] = not far[vertex]
            locked[vertex] = True
            moved.append(vertex)
            fits = abs(surplus) <= self._slack / 2 and self._fewest <= count <= self._most
            if fits and total > best + LEAST_GAIN * best:
                best, kept, balance = total, len(moved), surplus
            for other, weight in self._links[vertex]:
                if not locked[other]:
                    gain[other] += 2 * weight if far[other] != far[vertex] else -2 * weight
                    heappush(heaps[far[other]], (-gain[other], other))
        for vertex in moved[kept:]:
            far[vertex] = not far[vertex]
        self._surplus = balance
        return kept > 0

    def _next(
        self,
        heaps: dict[bool, list[tuple[float, int]]],
        gain: list[float],
        locked: list[bool],
        surplus: float,
    ) -> int | None:
        """Return the free vertex that gains most and keeps the balance; None if there is none."""
        tops = []
        for side, heap in heaps.items():
            while heap and (locked[heap[0][1]] or -heap[0][0] != gain[heap[0][1]]):
                heappop(heap)
            if heap:
                vertex = heap[0][1]
                after = surplus + (-self._work[vertex] if side else self._work[vertex])
                if abs(after) <= self._slack:
                    tops.append((heap[0], side))
        return min(tops)[0][1] if tops else None
