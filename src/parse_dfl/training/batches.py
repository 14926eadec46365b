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
AHEAD_ENTRIES = 1 << 14
AHEAD_EPOCHS = 8
"""How much is drawn before it is asked for: so many numbers for rows that are trained together,
and not more epochs than these."""


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
        self._walks: dict[tuple[int | None, int | None], list[_Walk]] = {}

    def positions(
        self, round: int, steps: int, block: slice = ALL, *, rounds: int = 1
    ) -> NDArray[np.int64]:
        """Local sample numbers of the rows of ``block`` for a round (from 1) and those after it,
        shape=(rounds · steps, rows, B)."""
        key = block.start, block.stop
        if key not in self._walks:
            sizes, keys = self._sizes[block], self._keys[block]
            self._walks[key] = [_Walk(keys, sizes, size) for size in np.unique(sizes).tolist()]
        rows = sum(len(walk.rows) for walk in self._walks[key])
        stream = np.zeros((rounds * steps, rows, self.width), dtype=np.int64)
        for walk in self._walks[key]:
            taken = min(self._batch_size, walk.size)
            count = steps * taken  # samples a round, per agent
            part = walk.entries((round - 1) * count, rounds * count)
            stream[:, walk.rows, :taken] = part.reshape(-1, rounds * steps, taken).swapaxes(0, 1)
        return stream


class _Walk:
    """The endless permutations of the rows that have ``size`` samples.

    The epochs of the last round are remembered, since the next one begins in them, and, where
    that is little to remember, some epochs ahead.
    """

    def __init__(self, keys: NDArray[np.uint64], sizes: NDArray[np.int64], size: int) -> None:
        self.size = size
        self.rows = np.flatnonzero(sizes == size)
        self._keys = keys[self.rows]
        self._first = 0  # epoch that is remembered
        self._known = np.empty((len(self.rows), 0), dtype=np.int64)

    def entries(self, begin: int, count: int) -> NDArray[np.int64]:
        """``count`` entries of each row's walk from entry ``begin``, shape=(rows, count)."""
        first, end = begin // self.size, (begin + count - 1) // self.size + 1
        if not self._first <= first < end <= self._end:
            self._remember(first, end)
        offset = begin - self._first * self.size
        return self._known[:, offset : offset + count]

    @property
    def _end(self) -> int:
        return self._first + self._known.shape[1] // self.size

    def _remember(self, first: int, end: int) -> None:
        """Know the epochs from ``first`` to before ``end``, keeping what is known of them."""
        known = self._first <= first < self._end
        kept = self._known[:, (first - self._first) * self.size :] if known else self._known[:, :0]
        missing = first + kept.shape[1] // self.size
        affordable = AHEAD_ENTRIES // (len(self.rows) * self.size)
        ahead = range(missing, max(end, missing + min(AHEAD_EPOCHS, affordable)))
        self._known = np.concatenate([kept, self._permutations(ahead)], axis=1)
        self._first = first

    def _permutations(self, epochs: range) -> NDArray[np.int64]:
        """Some epochs of every row one after another, shape=(rows, epochs · size)."""
        keys = hash_counters(self._keys[:, None], np.array(epochs, dtype=np.uint64))
        draws = hash_counters(keys[..., None], np.arange(self.size, dtype=np.uint64))
        # No two are equal: the hash maps the counters of one key one to one.
        return np.argsort(draws, axis=-1).reshape(len(keys), -1)
