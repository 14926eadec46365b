"""What local steps learn from: which of their samples agents take, and the samples themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from parse_dfl.agents import AgentSpec
from parse_dfl.networks.randomness import Draws, DrawsAhead, hash_tensor
from parse_dfl.training.batches import BatchPlan, agent_key
from parse_dfl.training.samples import take

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
    draws: Draws


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
        draws = DrawsAhead(choice.keys)
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
    """The choices of a cohort: a pure function of agent, round and step."""

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
