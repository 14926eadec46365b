"""Which samples an agent sees when: a pure function of (agent, round, step).

Each agent walks through its own samples in an endless row of permutations; every round goes on
where the round before ended, whether the agent took part in that round or not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import stable_hash
from parse_dfl.networks.randomness import hash_counters


def agent_key(agent: AgentSpec, purpose: str) -> int:
    """The agent's own key for one purpose, 63 bits."""
    return stable_hash(agent.seed, agent.name, purpose)


def local_steps(sizes: list[int], batch_size: int, epochs: int, steps: int | None) -> int:
    """Steps a round: as asked, or ``epochs`` times the median agent's number of batches."""
    return steps or epochs * -(-int(np.median(sizes)) // batch_size)


ALL = slice(None)


class BatchPlan:
    """The minibatches of n agents with ``sizes`` samples each.

    A batch holds ``min(batch_size, size)`` samples; where that differs between agents, the rest
    is padding of weight zero.
    """

    def __init__(self, keys: NDArray[np.uint64], sizes: NDArray[np.int64], batch_size: int) -> None:
        self._keys = keys
        self._sizes = sizes
        self._batch_size = batch_size
        taken = np.minimum(batch_size, sizes)  # shape=(n,)
        self.width = int(taken.max())
        real = np.arange(self.width) < taken[:, None]
        self.weight = real / taken[:, None]  # shape=(n, B)

    def positions(self, round: int, steps: int, block: slice = ALL) -> NDArray[np.int64]:
        """Local sample numbers of the rows of ``block`` for a round (from 1), shape=(rows, steps,
        B)."""
        sizes, keys = self._sizes[block], self._keys[block]
        stream = np.zeros((len(keys), steps, self.width), dtype=np.int64)
        for size in np.unique(sizes).tolist():
            rows = np.flatnonzero(sizes == size)
            taken = min(self._batch_size, size)
            count = steps * taken  # samples a round, per agent
            walk = self._walk(keys[rows], size, (round - 1) * count, count)
            stream[rows, :, :taken] = walk.reshape(len(rows), steps, taken)
        return stream

    def _walk(
        self, keys: NDArray[np.uint64], size: int, begin: int, count: int
    ) -> NDArray[np.int64]:
        """``count`` entries of each key's endless permutations from entry ``begin``."""
        epochs = range(begin // size, (begin + count - 1) // size + 1)
        parts = [self._permutation(keys, size, epoch) for epoch in epochs]
        offset = begin % size
        return np.concatenate(parts, axis=1)[:, offset : offset + count]

    def _permutation(self, keys: NDArray[np.uint64], size: int, epoch: int) -> NDArray[np.int64]:
        keys = hash_counters(keys, np.full(len(keys), epoch, dtype=np.uint64))
        draws = hash_counters(keys[:, None], np.arange(size, dtype=np.uint64)[None])
        return np.argsort(draws, axis=1, kind="stable")
