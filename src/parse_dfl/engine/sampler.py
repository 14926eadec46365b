"""Minibatches: samples in memory, which an agent sees when, and fetching them ahead.

A sample's last axis holds its channels (:mod:`parse_dfl.agents`).  Stored so, a standardisation
per channel runs over three numbers at a time, and every convolution copies its input first.

Which samples an agent sees when: a pure function of (agent, round, step).

Each agent walks through its own samples in an endless row of permutations; every round goes on
where the round before ended, whether the agent took part in that round or not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from parse_dfl.agents import AgentSpec, Kind
from parse_dfl.branches import stable_hash
from parse_dfl.networks.counter_rng import CounterRng, CounterRngAhead, hash_counters, hash_tensor


def arranged(values: Tensor, kind: Kind) -> Tensor:
    """``values``, shape=(samples, *shape), equal in every entry, with channels first in memory."""
    axes = {Kind.VECTOR: 2, Kind.SERIES: 3, Kind.IMAGE: 4, Kind.VIDEO: 5}[kind]
    if kind is Kind.VECTOR or values.dim() < axes:
        return values
    return values.movedim(-1, 1).contiguous().movedim(1, -1)


def take(values: Tensor, index: Tensor) -> Tensor:
    """``values[index]`` for an index of any shape, in the same order of memory."""
    picked = _memory(values).index_select(0, index.flatten())
    if not values.is_contiguous():
        picked = picked.movedim(1, -1)
    return picked.unflatten(0, index.shape)


def _memory(values: Tensor) -> Tensor:
    """The axes in the order in which they lie in memory."""
    return values if values.is_contiguous() else values.movedim(-1, 1)


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


AHEAD_ROUNDS = 8
AHEAD_NUMBERS = 1 << 15
"""Choices are made for so many rounds at once, as long as they are not more numbers than these."""


@dataclass(frozen=True)
class Choice:
    """The samples that n agents take in k steps, by their numbers among the agent's own."""

    number: Tensor  # shape=(k, n, B), dtype=int64
    keys: Tensor  # shape=(k, n), dtype=int64: what is drawn in a step is a hash of these

    def __len__(self) -> int:
        return len(self.number)

    def part(self, steps: slice) -> Choice:
        """Some of the steps."""
        return Choice(self.number[steps], self.keys[steps])


@dataclass(frozen=True)
class Minibatch:
    """One step's samples of n agents; ``number`` tells an agent's samples apart."""

    inputs: Mapping[str, Tensor]  # each shape=(n, B, *shape)
    label: Tensor  # shape=(n, B), dtype=int64
    number: Tensor  # shape=(n, B), dtype=int64
    draws: CounterRng


@dataclass(frozen=True)
class Samples:
    """All S samples of n agents."""

    inputs: Mapping[str, Tensor]  # each shape=(n, S, *shape)
    label: Tensor  # shape=(n, S), dtype=int64

    def minibatches(self, choice: Choice) -> Iterator[Minibatch]:
        """Those of every step, gathered at once."""
        rows, padded = self.label.shape
        starts = torch.arange(0, rows * padded, padded, device=self.label.device)
        index = choice.number + starts.unsqueeze(1)
        inputs = {name: take(values.flatten(0, 1), index) for name, values in self.inputs.items()}
        label = take(self.label.flatten(), index)
        draws = CounterRngAhead(choice.keys)
        for step in range(len(choice)):
            own = {name: values[step] for name, values in inputs.items()}
            yield Minibatch(own, label[step], choice.number[step], draws.step(step))

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All of them, in the order in which :meth:`like` reads them."""
        return *self.inputs.values(), self.label

    def like(self, tensors: Sequence[Tensor]) -> Samples:
        """Samples of the same modalities that are these tensors."""
        *inputs, label = tensors
        return Samples(dict(zip(self.inputs, inputs, strict=True)), label)


class Chooser:
    """The choices of a stack: a pure function of agent, round and step."""

    def __init__(
        self, agents: Sequence[AgentSpec], sizes: np.ndarray, batch_size: int, device: torch.device
    ) -> None:
        keys = np.array([agent_key(agent, "batches") for agent in agents], dtype=np.uint64)
        self.plan = BatchPlan(keys, sizes, batch_size)
        draws = [agent_key(agent, "draws") for agent in agents]
        self._draw_keys = torch.tensor(draws, dtype=torch.int64, device=device)
        self._known: dict[tuple[int, int, int], dict[int, Choice]] = {}

    def choices(self, block: slice, round: int, steps: int, together: int) -> Iterator[Choice]:
        """Those of the rows of ``block`` in ``round`` (from 1), so many ``steps``, some
        ``together``."""
        key = block.start, block.stop, steps
        if round not in self._known.get(key, {}):
            self._known[key] = self._made(block, round, steps)
        whole = self._known[key][round]
        for first in range(0, steps, together):
            yield whole.part(slice(first, first + together))

    def _made(self, block: slice, round: int, steps: int) -> dict[int, Choice]:
        """The choices of a round and of some that follow."""
        numbers = steps * (block.stop - block.start) * self.plan.width
        rounds = range(round, round + max(1, min(AHEAD_ROUNDS, AHEAD_NUMBERS // numbers)))
        device = self._draw_keys.device
        positions = self.plan.positions(round, steps, block, rounds=len(rounds))
        number = torch.from_numpy(positions).to(device)
        counters = torch.tensor([(r << 20) + step for r in rounds for step in range(steps)])
        keys = hash_tensor(self._draw_keys[block], counters.to(device).unsqueeze(1))
        whole = Choice(number, keys)
        return {
            round: whole.part(slice(place * steps, (place + 1) * steps))
            for place, round in enumerate(rounds)
        }
