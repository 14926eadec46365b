"""The partition: which and how many samples of the training part each agent has.

The partition: which samples of the training part each agent has.

``iid``            disjoint shards drawn at random
``dirichlet:0.3``  each agent draws its label distribution from a symmetric Dirichlet and its
                   samples by it, none twice; shards overlap only once a class has run out
                   (Hsu, Qi, Brown, arXiv 1909.06335)
``subject``        whole subjects are dealt round-robin, as natural clients
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from parse_dfl.agents import AgentSpec, key, modality_set
from parse_dfl.branches import stable_hash
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.errors import ConfigError, DataError, nearest, unknown
from parse_dfl.text import real, whole

Sizes = NDArray[np.int64]  # shape=(agents,)
Bounds = tuple[int, int]

MOST_SAMPLES = 10**9
"""Sums over a million agents still fit an int64."""

HELP = "write 64, a range like 16..128, or either per modality set like acc=64,acc+gyro=32"


def shard_sizes(agents: Sequence[AgentSpec], request: str | int, rng: np.random.Generator) -> Sizes:
    """The size of each agent's shard; a range is drawn from log-uniformly.

    Raises:
        ConfigError: the request cannot be read, is below one, or does not name every modality
            set of the agents and no other.
    """
    text = str(request)
    if "=" in text:
        by_group = _by_group(text, agents)
        bounds = np.array([by_group[agent.group] for agent in agents])
    else:
        bounds = np.array([_bounds(text, text)] * len(agents))
    low, high = bounds[:, 0], bounds[:, 1]
    drawn: Sizes = np.exp(rng.uniform(np.log(low), np.log(high + 1))).astype(np.int64)
    return np.clip(drawn, low, high)


def _by_group(text: str, agents: Sequence[AgentSpec]) -> dict[str, Bounds]:
    groups = {agent.group for agent in agents}
    bounds: dict[str, Bounds] = {}
    for part in text.split(","):
        names, equals, size = part.partition("=")
        if not equals:
            raise ConfigError(f"cannot read samples per agent {text!r}; {HELP}")
        group = key(modality_set(names))
        if group not in groups:
            raise ConfigError(
                f"samples per agent {text!r}: no agent has the modality set {group!r}"
                f"{nearest(group, groups)}"
            )
        if group in bounds:
            raise ConfigError(f"samples per agent {text!r} names {group!r} twice; name it once")
        bounds[group] = _bounds(size, text)
    if missing := sorted(groups - set(bounds)):
        raise ConfigError(f"samples per agent {text!r} says nothing about {', '.join(missing)}")
    return bounds


def _bounds(size: str, text: str) -> Bounds:
    """``"64"`` as (64, 64), ``"16..128"`` as (16, 128)."""
    first, dots, last = size.strip().partition("..")
    low = whole(first)
    high = whole(last) if dots else low
    if low is None or high is None:
        raise ConfigError(f"cannot read samples per agent {text!r}; {HELP}")
    if not 1 <= low <= high <= MOST_SAMPLES:
        raise ConfigError(
            f"samples per agent {text!r} must be 1 or more, at most {MOST_SAMPLES}, the smaller "
            "bound first"
        )
    return low, high


Indices = NDArray[np.int64]

SCHEMES = ("iid", "dirichlet", "subject")
DEFAULT_SAMPLES = 64
LEAST_ALPHA, MOST_ALPHA = 1e-300, 1e9
"""Beyond them draws from the Dirichlet distribution underflow, or are all alike."""


def partition(
    data: MultimodalData,
    pool: Indices,
    agents: Sequence[AgentSpec],
    scheme: str = "iid",
    samples_per_agent: str | int | None = None,
    seed: int = 0,
) -> list[Indices]:
    """Each agent's samples, positions in ``data`` in ascending order, in the agents' order.

    Args:
        data: the data set.
        pool: the positions that may be given out: the training part.
        agents: who takes part.
        scheme: ``iid``, ``dirichlet:ALPHA`` or ``subject``.
        samples_per_agent: see :mod:`parse_dfl.data.partition`; None means the smaller of 64
            and an equal share of the pool, and for ``subject`` all of the agent's subjects.
        seed: names the draw; equal arguments give equal shards.

    Raises:
        ConfigError: the scheme or ``samples_per_agent`` cannot be read.
        DataError: more samples or subjects are asked for than there are.
    """
    if not len(agents):
        raise DataError("there are no agents to share the data")
    name, _, argument = scheme.partition(":")
    sizes = None
    if samples_per_agent is not None:
        sizes = shard_sizes(
            agents, samples_per_agent, np.random.default_rng(stable_hash("sizes", seed))
        )
    rng = np.random.default_rng(stable_hash("partition", scheme, seed))
    match name:
        case "iid" if not argument:
            shards = _iid(pool, _sizes_or_default(sizes, len(pool), len(agents)), rng)
        case "dirichlet":
            alpha = _alpha(scheme, argument)
            sizes = _sizes_or_default(sizes, len(pool), len(agents))
            shards = _dirichlet(data.label, pool, sizes, alpha, rng)
        case "subject" if not argument:
            shards = _by_subject(data, pool, agents, sizes, rng)
        case _:
            raise unknown("partition", scheme, ("iid", "dirichlet:0.3", "subject"))
    return [np.sort(shard) for shard in shards]


def _sizes_or_default(sizes: Sizes | None, available: int, agents: int) -> Sizes:
    if sizes is not None:
        return sizes
    share = min(DEFAULT_SAMPLES, available // agents)
    if share == 0:
        raise DataError(f"{agents} agents cannot share {available} training samples")
    return np.full(agents, share, dtype=np.int64)


def _alpha(scheme: str, argument: str) -> float:
    alpha = real(argument)
    if alpha is None or not LEAST_ALPHA <= alpha <= MOST_ALPHA:
        raise ConfigError(
            f"partition {scheme!r} needs a concentration above 0 ({LEAST_ALPHA:g} to "
            f"{MOST_ALPHA:g}), such as dirichlet:0.3"
        )
    return alpha


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
    """Samples per agent and class, by the agents' wishes but never more than a class has.

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
