"""Deal agents to ranks so that few overlay edges are cut: graph partition by branches.

Recursive bisection: the agents are ordered so that neighbours stand near each other (reverse
Cuthill-McKee), cut where the work is halved, and exchanged over the cut while that makes it
lighter.

Source of the last step: C. M. Fiduccia, R. M. Mattheyses, "A Linear-Time Heuristic for Improving
Network Partitions", DAC 1982; here with weights, and a heap in place of buckets.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parse_dfl.engine.mixing_cache import MixingCache
from parse_dfl.methods.base import Method
from parse_dfl.ranks.ownership import Name, Roster, Work, name_of

Weights = NDArray[np.float64]
Numbers = NDArray[np.int64]
Sides = NDArray[np.bool_]
Graph = Any
"""A symmetric sparse matrix of scipy's, which has no types."""

MOST_PASSES = 10
LEAST_GAIN = 1e-9
"""Relative: below it, rounding would move vertices to and fro."""
CROWDED = 64
"""With more links a vertex than this, every cut is about as heavy as every other."""


def deal(work: Weights, pairs: Numbers, weight: Weights, parts: int) -> Numbers:
    """The part of each of n vertices, shape=(n,).

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


def cut_weight(part: Numbers, pairs: Numbers, weight: Weights) -> float:
    """What all links between different parts weigh."""
    return float(weight[part[pairs[:, 0]] != part[pairs[:, 1]]].sum())


def _graph(size: int, pairs: Numbers, weight: Weights) -> Graph:
    """The symmetric sparse matrix of all links, without loops."""
    from scipy.sparse import coo_array

    apart = pairs[:, 0] != pairs[:, 1]
    i, j = pairs[apart].T
    half = coo_array((weight[apart], (i, j)), shape=(size, size))
    return (half + half.T).tocsr()


def _split(
    nodes: Numbers, work: Weights, graph: Graph, part: Numbers, *, first: int, parts: int
) -> None:
    part[nodes] = first
    if parts == 1:
        return
    near = parts // 2
    own = graph[nodes][:, nodes].tocsr()
    far = _bisect(own, work[nodes], near / parts, (near, parts - near))
    _split(nodes[~far], work, graph, part, first=first, parts=near)
    _split(nodes[far], work, graph, part, first=first + near, parts=parts - near)


def _bisect(graph: Graph, work: Weights, share: float, least: tuple[int, int]) -> Sides:
    """Which vertices belong to the second side, shape=(n,); the first gets ``share`` of the
    work, and each at least so many vertices."""
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    size = len(work)
    orders = [np.arange(size), np.asarray(reverse_cuthill_mckee(graph, symmetric_mode=True))]
    found = []
    for order in orders:
        far = _halved(order, work, share, least)
        if graph.nnz <= CROWDED * size:
            far = _Refinement(graph, work, far, least).run()
        found.append((_crossing(graph, far), far))
    return min(found, key=lambda each: each[0])[1]


def _halved(order: Numbers, work: Weights, share: float, least: tuple[int, int]) -> Sides:
    reached = np.cumsum(work[order])
    place = int(np.argmin(np.abs(reached - share * reached[-1]))) + 1
    far = np.ones(len(work), dtype=bool)
    far[order[: min(max(place, least[0]), len(work) - least[1])]] = False
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
        """The second side when no pass gains any more."""
        for _ in range(MOST_PASSES):
            if not self._pass():
                break
        return np.array(self._far)

    def _gain(self, vertex: int) -> float:
        side = self._far[vertex]
        return sum(w if self._far[other] != side else -w for other, w in self._links[vertex])

    def _pass(self) -> bool:
        """Move all vertices once; whether the cut became lighter."""
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
        """The free vertex that gains most among those that keep the balance; None if none."""
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


OPERATIONS_PER_PARAMETER = 75
"""A step passes over a parameter, its gradient and its moments five times, 20 bytes: at 31 GB/s as
long as so many operations at 115 GFLOP/s (both measured, benchmarks/speed)."""
PASSES = 3
"""A forward pass, and a backward pass of twice its operations."""
TIME_VARYING_ROUNDS = 8
"""Rounds whose overlays are looked at where they change."""


def homes(
    roster: Roster, method: Method, book: MixingCache, *, batch_size: int, ranks: int
) -> dict[Name, int]:
    """The rank of every agent: equal work for all, and few bytes between them.

    An agent stays where it is when its modalities change, so that no state ever moves.
    """
    work = np.array([_operations(roster.work[agent], batch_size) for agent in roster.agents])
    pairs, weight = _links(roster, method, book)
    part = deal(work, pairs, weight, ranks)
    return {name_of(agent): int(rank) for agent, rank in zip(roster.agents, part, strict=True)}


def _operations(work: Work, batch_size: int) -> float:
    """Of one local step."""
    return PASSES * batch_size * work.forward + OPERATIONS_PER_PARAMETER * work.parameters + 1.0


def _links(roster: Roster, method: Method, book: MixingCache) -> tuple[Numbers, Weights]:
    """Pairs of agents that exchange anything, shape=(E, 2), and how many numbers a round."""
    rounds = range(1, TIME_VARYING_ROUNDS + 1 if book.topology.time_varying else 2)
    pairs, weights = [np.empty((0, 2), dtype=np.int64)], [np.empty(0)]
    for number, stage in enumerate(method.stages):
        for branch, owners in roster.branches.items():
            place = np.array([roster.place[name_of(agent)] for agent in owners.agents])
            numbers = (
                stage.exchange(branch).numbers_sent(owners.width) * stage.fraction / len(rounds)
            )
            for round in rounds:
                mixing = book.mixing(owners, stage, number, round)
                ends = np.stack([mixing.source, mixing.target], axis=1)
                pairs.append(place[ends])
                weights.append(np.full(len(ends), float(numbers)))
    return np.concatenate(pairs), np.concatenate(weights)
