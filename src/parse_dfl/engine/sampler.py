"""Choose minibatches, which samples an agent sees when, and fetch them.

Which ones is a pure function of (agent, round, step): each agent walks through its own samples in
an endless row of permutations, and every round goes on where the round before ended, whether the
agent took part in that round or not.
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

Index = NDArray[np.int64]

AHEAD_ROUNDS = 8
AHEAD_NUMBERS = 1 << 15
"""Choices are made for so many rounds at once, as long as they are not more numbers than these."""


def channels_first(values: Tensor, kind: Kind) -> Tensor:
    """Return ``values``, shape=(samples, *shape), equal in every entry, with the last axis, its
    channels, first in memory.

    Stored otherwise, a standardisation per channel runs over three numbers at a time, and every
    convolution copies its input first.
    """
    axes = {Kind.VECTOR: 2, Kind.SERIES: 3, Kind.IMAGE: 4, Kind.VIDEO: 5}[kind]
    if kind is Kind.VECTOR or values.dim() < axes:
        return values
    return values.movedim(-1, 1).contiguous().movedim(1, -1)


def take(values: Tensor, index: Tensor) -> Tensor:
    """Return ``values[index]`` for an index of any shape, in the same order of memory."""
    in_memory = values if values.is_contiguous() else values.movedim(-1, 1)
    picked = in_memory.index_select(0, index.flatten())
    if not values.is_contiguous():
        picked = picked.movedim(1, -1)
    return picked.unflatten(0, index.shape)


def agent_key(agent: AgentSpec, purpose: str) -> int:
    """Return the agent's own key for one purpose, 63 bits."""
    return stable_hash(agent.seed, agent.name, purpose)


def local_steps(sizes: list[int], batch_size: int, epochs: int, steps: int | None) -> int:
    """Return the steps a round: as asked, or ``epochs`` × the median agent's number of batches."""
    return steps or epochs * -(-int(np.median(sizes)) // batch_size)


def batch_weights(sizes: Index, batch_size: int) -> NDArray[np.float64]:
    """Return the weight of every sample of a minibatch, shape=(n, B).

    A batch holds ``min(batch_size, size)`` samples; where that differs between agents, the rest is
    padding of weight zero.
    """
    taken = np.minimum(batch_size, sizes)  # shape=(n,)
    real = np.arange(int(taken.max())) < taken[:, None]
    return np.asarray(real / taken[:, None])


@dataclass(frozen=True)
class Choice:
    """The samples that n agents take in k steps, by their numbers among the agent's own."""

    number: Tensor  # shape=(k, n, B), dtype=int64
    keys: Tensor  # shape=(k, n), dtype=int64: what is drawn in a step is a hash of these

    def __len__(self) -> int:
        return len(self.number)

    def part(self, steps: slice) -> Choice:
        """Return some of the steps."""
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
        """Yield those of every step, gathered at once."""
        rows, padded = self.label.shape
        starts = torch.arange(0, rows * padded, padded, device=self.label.device)
        index = choice.number + starts.unsqueeze(1)
        inputs = {name: take(values.flatten(0, 1), index) for name, values in self.inputs.items()}
        label = take(self.label.flatten(), index)
        draws = CounterRngAhead(choice.keys)
        for step in range(len(choice)):
            inputs_now = {name: values[step] for name, values in inputs.items()}
            yield Minibatch(inputs_now, label[step], choice.number[step], draws.step(step))

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All tensors, in the order in which :meth:`like` reads them."""
        return *self.inputs.values(), self.label

    def like(self, tensors: Sequence[Tensor]) -> Samples:
        """Return samples of the same modalities that are these tensors."""
        *inputs, label = tensors
        return Samples(dict(zip(self.inputs, inputs, strict=True)), label)


class BatchSampler:
    """Chooses the minibatches of n agents that are trained together.

    Args:
        agents: whose samples they are.
        sizes: their numbers of samples, shape=(n,).
        batch_size: samples of a minibatch, fewer of an agent that has fewer.
        width: the padded size B of a batch; None: the largest agent's.
        device: where choices are needed.
    """

    def __init__(
        self,
        agents: Sequence[AgentSpec],
        sizes: Index,
        batch_size: int,
        *,
        width: int | None = None,
        device: torch.device = torch.device("cpu"),  # noqa: B008 - a constant
    ) -> None:
        keys = np.array([agent_key(agent, "batches") for agent in agents], dtype=np.uint64)
        self._batch_size = batch_size
        self._width = width or int(np.minimum(batch_size, sizes).max())
        self._walks = [_Walk(keys, sizes, size) for size in np.unique(sizes).tolist()]
        draws = [agent_key(agent, "draws") for agent in agents]
        self._draw_keys = torch.tensor(draws, dtype=torch.int64, device=device)
        self._ahead: dict[tuple[int, int], Choice] = {}  # by steps a round, and round

    def choices(self, round: int, steps: int, together: int) -> Iterator[Choice]:
        """Yield those of a round (from 1) of so many ``steps``, some ``together``."""
        if (steps, round) not in self._ahead:
            self._ahead = self._choose_ahead(round, steps)
        choice = self._ahead[steps, round]
        for first in range(0, steps, together):
            yield choice.part(slice(first, first + together))

    def _choose_ahead(self, round: int, steps: int) -> dict[tuple[int, int], Choice]:
        """Choose for a round and some that follow."""
        numbers = steps * len(self._draw_keys) * self._width
        rounds = range(round, round + max(1, min(AHEAD_ROUNDS, AHEAD_NUMBERS // numbers)))
        device = self._draw_keys.device
        number = torch.from_numpy(self.positions(round, steps, rounds=len(rounds))).to(device)
        counters = torch.tensor([(r << 20) + step for r in rounds for step in range(steps)])
        keys = hash_tensor(self._draw_keys, counters.to(device).unsqueeze(1))
        whole = Choice(number, keys)
        return {
            (steps, r): whole.part(slice(index * steps, (index + 1) * steps))
            for index, r in enumerate(rounds)
        }

    def positions(self, round: int, steps: int, *, rounds: int = 1) -> Index:
        """Return the agents' own sample numbers for a round (from 1) and those after it,
        shape=(rounds · steps, n, B)."""
        rows = sum(len(walk.rows) for walk in self._walks)
        stream = np.zeros((rounds * steps, rows, self._width), dtype=np.int64)
        for walk in self._walks:
            taken = min(self._batch_size, walk.size)
            count = steps * taken  # samples a round, per agent
            part = walk.entries((round - 1) * count, rounds * count)
            stream[:, walk.rows, :taken] = part.reshape(-1, rounds * steps, taken).swapaxes(0, 1)
        return stream


class _Walk:
    """The endless permutations of the rows that have ``size`` samples.

    The epochs of the last request are kept, since the next one begins in them.
    """

    def __init__(self, keys: NDArray[np.uint64], sizes: Index, size: int) -> None:
        self.size = size
        self.rows = np.flatnonzero(sizes == size)
        self._keys = keys[self.rows]
        self._epochs = range(0)
        self._kept = np.empty((len(self.rows), 0), dtype=np.int64)  # of these epochs

    def entries(self, begin: int, count: int) -> Index:
        """Return ``count`` entries of each row's walk from entry ``begin``, shape=(rows, count)."""
        first, end = begin // self.size, (begin + count - 1) // self.size + 1
        if not (first in self._epochs and end - 1 in self._epochs):
            kept = self._kept[:, :0]
            if first in self._epochs:
                kept = self._kept[:, (first - self._epochs.start) * self.size :]
            missing = range(first + kept.shape[1] // self.size, end)
            self._kept = np.concatenate([kept, self._permutations(missing)], axis=1)
            self._epochs = range(first, end)
        offset = begin - self._epochs.start * self.size
        return self._kept[:, offset : offset + count]

    def _permutations(self, epochs: range) -> Index:
        """Return some epochs of every row one after another, shape=(rows, epochs · size)."""
        keys = hash_counters(self._keys[:, None], np.array(epochs, dtype=np.uint64))
        draws = hash_counters(keys[..., None], np.arange(self.size, dtype=np.uint64))
        # No two are equal: the hash maps the counters of one key one to one.
        return np.argsort(draws, axis=-1).reshape(len(keys), -1)
