"""Which rank trains which agent."""

from __future__ import annotations

import numpy as np

from parse_dfl.methods.method import Method
from parse_dfl.ranks.graph_partition import Numbers, Weights, deal
from parse_dfl.ranks.ownership import Name, Roster, Work, name_of
from parse_dfl.training.overlays import OverlayBook

OPERATIONS_PER_PARAMETER = 75
"""A step passes over a parameter, its gradient and its moments five times, 20 bytes: at 31 GB/s as
long as so many operations at 115 GFLOP/s (both measured, benchmarks/speed)."""
PASSES = 3
"""A forward pass, and a backward pass of twice its operations."""
TIME_VARYING_ROUNDS = 8
"""Rounds whose overlays are looked at where they change."""


def homes(
    roster: Roster, method: Method, book: OverlayBook, *, batch_size: int, ranks: int
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


def _links(roster: Roster, method: Method, book: OverlayBook) -> tuple[Numbers, Weights]:
    """Pairs of agents that exchange anything, shape=(E, 2), and how many numbers a round."""
    rounds = range(1, TIME_VARYING_ROUNDS + 1 if book.topology.time_varying else 2)
    pairs, weights = [np.empty((0, 2), dtype=np.int64)], [np.empty(0)]
    for number, stage in enumerate(method.stages):
        for branch, owners in roster.branches.items():
            place = np.array([roster.place[name_of(agent)] for agent in owners.agents])
            numbers = stage.exchange(branch).floats(owners.width) * stage.share / len(rounds)
            for round in rounds:
                mixing = book.mixing(owners, stage, number, round)
                ends = np.stack([mixing.source, mixing.target], axis=1)
                pairs.append(place[ends])
                weights.append(np.full(len(ends), float(numbers)))
    return np.concatenate(pairs), np.concatenate(weights)
