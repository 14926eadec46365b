"""Divide the training part among the agents: which samples, and how many, each one has.

:mod:`parse_dfl.config.partition` has the rules; here samples are dealt by them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from parse_dfl.agents import AgentSpec, key
from parse_dfl.branches import stable_hash
from parse_dfl.config.partition import BySubject, Dirichlet, Partition, SampleCounts
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.errors import ConfigError, DataError, nearest

Sizes = NDArray[np.int64]  # shape=(agents,)


def shard_sizes(
    agents: Sequence[AgentSpec], request: SampleCounts, rng: np.random.Generator
) -> Sizes:
    """Return the number of samples of each agent; a range is drawn from log-uniformly.

    Raises:
        ConfigError: the request does not name every modality set of the agents and no other.
    """
    by_set = {modalities: (low, high) for modalities, low, high in request.bounds}
    if None in by_set:
        bounds = np.array([by_set[None]] * len(agents))
    else:
        _check_groups(agents, request)
        bounds = np.array([by_set[agent.modalities] for agent in agents])
    low, high = bounds[:, 0], bounds[:, 1]
    drawn: Sizes = np.exp(rng.uniform(np.log(low), np.log(high + 1))).astype(np.int64)
    return np.clip(drawn, low, high)


def _check_groups(agents: Sequence[AgentSpec], request: SampleCounts) -> None:
    groups = {agent.group for agent in agents}
    requested = {key(modalities or ()) for modalities, _, _ in request.bounds}
    for group in sorted(requested - groups):
        raise ConfigError(
            f"samples per agent {str(request)!r}: no agent has the modality set {group!r}"
            f"{nearest(group, groups)}"
        )
    if missing := sorted(groups - requested):
        raise ConfigError(
            f"samples per agent {str(request)!r} says nothing about {', '.join(missing)}"
        )


Indices = NDArray[np.int64]

DEFAULT_SAMPLES = 64


def partition(
    data: MultimodalData,
    pool: Indices,
    agents: Sequence[AgentSpec],
    rule: Partition | str = "iid",
    samples_per_agent: SampleCounts | str | int | None = None,
    seed: int = 0,
) -> list[Indices]:
    """Return each agent's samples, positions in ``data`` in ascending order, in the agents' order.

    Args:
        data: the data set.
        pool: the positions that may be given out: the training part.
        agents: who takes part.
        rule: by which the samples are dealt, an object or its text.
        samples_per_agent: how many; None means the smaller of 64 and an equal share of the pool,
            and for :class:`BySubject` all of the agent's subjects.
        seed: names the draw; equal arguments give equal samples.

    Raises:
        ConfigError: the rule or ``samples_per_agent`` cannot be read.
        DataError: more samples or subjects are asked for than there are.
    """
    if not len(agents):
        raise DataError("there are no agents to share the data")
    rule = Partition.of(rule)
    sizes = None
    if samples_per_agent is not None:
        counts = SampleCounts.of(samples_per_agent)
        sizes = shard_sizes(agents, counts, np.random.default_rng(stable_hash("sizes", seed)))
    rng = np.random.default_rng(stable_hash("partition", str(rule), seed))
    if isinstance(rule, BySubject):
        dealt = _by_subject(data, pool, agents, sizes, rng)
    else:
        sizes = _sizes_or_default(sizes, len(pool), len(agents))
        if isinstance(rule, Dirichlet):
            dealt = _dirichlet(data.label, pool, sizes, rule.alpha, rng)
        else:
            dealt = _iid(pool, sizes, rng)
    return [np.sort(indices) for indices in dealt]


def _sizes_or_default(sizes: Sizes | None, available: int, agents: int) -> Sizes:
    if sizes is not None:
        return sizes
    share = min(DEFAULT_SAMPLES, available // agents)
    if share == 0:
        raise DataError(f"{agents} agents cannot share {available} training samples")
    return np.full(agents, share, dtype=np.int64)


def _iid(pool: Indices, sizes: Sizes, rng: np.random.Generator) -> list[Indices]:
    total = int(sizes.sum())
    if total > len(pool):
        raise DataError(
            f"{len(sizes)} agents ask for {total} samples in all, but the training part has "
            f"{len(pool)}, {len(pool) // len(sizes)} an agent"
        )
    return np.split(rng.permutation(pool)[:total], np.cumsum(sizes)[:-1])


def _dirichlet(
    label: NDArray[np.int64], pool: Indices, sizes: Sizes, alpha: float, rng: np.random.Generator
) -> list[Indices]:
    if sizes.max() > len(pool):
        raise DataError(
            f"an agent asks for {sizes.max()} samples, but the training part has {len(pool)}"
        )
    queue = rng.permutation(pool)
    queue = queue[np.argsort(label[queue], kind="stable")]  # class by class, shuffled within
    _, stock = np.unique(label[queue], return_counts=True)  # shape=(classes in pool,)
    wishes = rng.dirichlet(np.full(len(stock), alpha), size=len(sizes))
    counts = _within_stock(wishes, sizes, stock, rng)  # shape=(agents, classes in pool)
    # The agents take from each class's queue in turn, and start it anew once it has run out.
    start = (np.cumsum(counts, axis=0) - counts).ravel()
    take = counts.ravel()
    rank = np.arange(take.sum()) - np.repeat(np.cumsum(take) - take, take)
    column = np.repeat(np.tile(np.arange(len(stock)), len(sizes)), take)
    offset = (np.cumsum(stock) - stock)[column]
    drawn = queue[offset + (np.repeat(start, take) + rank) % stock[column]]
    return np.split(drawn, np.cumsum(sizes)[:-1])


def _within_stock(
    wishes: NDArray[np.float64], sizes: Sizes, stock: Sizes, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return samples per agent and class, by the agents' wishes but never more than a class has.

    What a class cannot give is drawn from the agent's other classes, by the same wishes.
    """
    counts = np.zeros(wishes.shape, dtype=np.int64)
    while len(short := np.flatnonzero(counts.sum(axis=1) < sizes)):
        free = stock - counts[short]
        weights = np.where(free > 0, wishes[short], 0.0)
        hopeless = weights.sum(axis=1) < np.finfo(np.float64).tiny
        weights[hopeless] = free[hopeless]
        weights /= weights.sum(axis=1, keepdims=True)
        more = rng.multinomial(sizes[short] - counts[short].sum(axis=1), weights)
        counts[short] += np.minimum(more, free)
    return counts


def _by_subject(
    data: MultimodalData,
    pool: Indices,
    agents: Sequence[AgentSpec],
    sizes: Sizes | None,
    rng: np.random.Generator,
) -> list[Indices]:
    if data.subject is None:
        raise DataError(
            f"data set {data.name!r} has no subjects to deal; use --subject-key to name a column"
        )
    subjects, who = np.unique(data.subject[pool], return_inverse=True)
    if len(subjects) < len(agents):
        raise DataError(
            f"{len(agents)} agents cannot share {len(subjects)} subjects of the training part"
        )
    owner = np.empty(len(subjects), dtype=np.int64)
    owner[rng.permutation(len(subjects))] = np.arange(len(subjects)) % len(agents)
    owned = owner[who]
    held = np.bincount(owned, minlength=len(agents))
    shuffled = rng.permutation(len(pool))
    ordered = pool[shuffled[np.argsort(owned[shuffled], kind="stable")]]
    shards = np.split(ordered, np.cumsum(held)[:-1])
    if sizes is None:
        return shards
    for agent, has, wants in zip(agents, held, sizes, strict=True):
        if has < wants:
            raise DataError(
                f"agent {agent.name!r} asks for {wants} samples, but its subjects have {has}"
            )
    return [shard[:size] for shard, size in zip(shards, sizes, strict=True)]
