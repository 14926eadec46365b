"""What local steps learn from: gathered for several steps at once, and for several rounds where
that is little."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from parse_dfl.agents import AgentSpec
from parse_dfl.networks.randomness import Draws, DrawsAhead, hash_tensor
from parse_dfl.training.batches import BatchPlan, agent_key
from parse_dfl.training.shards import CohortData

STEPS_AHEAD = 4
"""Steps of a round whose minibatches are gathered, and whose draws are made, at once."""
AHEAD_NUMBERS = 1 << 18
"""Rounds are gathered together as long as all their inputs are not more numbers than these."""


@dataclass(frozen=True)
class Minibatch:
    """One step's samples of n agents; ``number`` tells an agent's samples apart."""

    inputs: Mapping[str, Tensor]  # each shape=(n, B, *shape)
    label: Tensor  # shape=(n, B), dtype=int64
    number: Tensor  # shape=(n, B), dtype=int64
    draws: Draws


@dataclass(frozen=True)
class Minibatches:
    """The samples of k steps, one after another."""

    inputs: Mapping[str, Tensor]  # each shape=(k, n, B, *shape)
    label: Tensor  # shape=(k, n, B), dtype=int64
    number: Tensor  # shape=(k, n, B), dtype=int64
    keys: Tensor  # shape=(k, n), dtype=int64: what is drawn for a step is a hash of these

    def __len__(self) -> int:
        return len(self.label)

    def __iter__(self) -> Iterator[Minibatch]:
        draws = DrawsAhead(self.keys)
        for step in range(len(self)):
            own = {name: values[step] for name, values in self.inputs.items()}
            yield Minibatch(own, self.label[step], self.number[step], draws.step(step))

    def part(self, steps: slice) -> Minibatches:
        """Those of some of the steps."""
        return self.like([value[steps] for value in self.tensors])

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All of them, in the order in which :meth:`like` reads them."""
        return *self.inputs.values(), self.label, self.number, self.keys

    def like(self, tensors: Sequence[Tensor]) -> Minibatches:
        """Minibatches of the same modalities that hold these."""
        *inputs, label, number, keys = tensors
        return Minibatches(dict(zip(self.inputs, inputs, strict=True)), label, number, keys)


class MinibatchSource:
    """The minibatches of a cohort: a pure function of agent, round and step."""

    def __init__(self, agents: Sequence[AgentSpec], data: CohortData, batch_size: int) -> None:
        self._data = data
        keys = np.array([agent_key(agent, "batches") for agent in agents], dtype=np.uint64)
        self.plan = BatchPlan(keys, data.sizes, batch_size)
        draws = [agent_key(agent, "draws") for agent in agents]
        self._draw_keys = torch.tensor(draws, dtype=torch.int64, device=data.label.device)
        self._sample_numbers = sum(values[0, 0].numel() for values in data.inputs.values())
        self._known: dict[tuple[int, int, int], dict[int, Minibatches]] = {}

    def round(
        self, block: slice, round: int, steps: int, together: int = STEPS_AHEAD
    ) -> Iterator[Minibatches]:
        """Those of the rows of ``block``, the steps of ``round`` (from 1) some at a time."""
        rounds = AHEAD_NUMBERS // (steps * self._step_numbers(block))
        if rounds < 2:
            yield from self._gathered(block, range(round, round + 1), steps, together)
            return
        whole = self._remembered(block, range(round, round + rounds), steps)
        for first in range(0, steps, together):
            yield whole.part(slice(first, first + together))

    def _step_numbers(self, block: slice) -> int:
        return (block.stop - block.start) * self.plan.width * self._sample_numbers

    def _remembered(self, block: slice, rounds: range, steps: int) -> Minibatches:
        """The first round's; the others are kept until they are asked for."""
        key = block.start, block.stop, steps
        if rounds.start not in self._known.get(key, {}):
            (made,) = self._gathered(block, rounds, steps, len(rounds) * steps)
            self._known[key] = {
                round: made.part(slice(place * steps, (place + 1) * steps))
                for place, round in enumerate(rounds)
            }
        return self._known[key].pop(rounds.start)

    def _gathered(
        self, block: slice, rounds: range, steps: int, together: int
    ) -> Iterator[Minibatches]:
        positions = self.plan.positions(rounds.start, steps, block, rounds=len(rounds))
        chosen = torch.from_numpy(positions).to(self._draw_keys.device)  # shape=(all, rows, B)
        counts = [(round << 20) + step for round in rounds for step in range(steps)]
        counters = torch.tensor(counts, device=chosen.device).unsqueeze(1)
        for first in range(0, len(counts), together):
            own = slice(first, first + together)
            inputs, label = self._data.gather(block.start, chosen[own])
            keys = hash_tensor(self._draw_keys[block], counters[own])
            yield Minibatches(inputs, label, chosen[own], keys)
