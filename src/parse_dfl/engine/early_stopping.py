"""Early stopping: keep, per seed, the parameters that did best on validation data."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from parse_dfl.engine.simulator import Simulator


class BestRows:
    """The best parameters so far of every seed in a simulator."""

    def __init__(self, simulator: Simulator, validation: Tensor, seeds: list[int]) -> None:
        self._simulator = simulator
        self._validation = validation
        self._seeds = seeds
        self.accuracy = torch.full((len(seeds),), -1.0, dtype=torch.float64)
        self._theta = {b: rows.params.clone() for b, rows in simulator.layout.branches.items()}

    def update(self) -> None:
        """Evaluate on validation, and keep the rows of the seeds that improved."""
        scores = self._simulator.evaluate(self._validation)
        for index, seed in enumerate(self._seeds):
            own = [
                float(value)
                for stack, score in scores
                for agent, value in zip(stack.agents, score.accuracy, strict=True)
                if agent.seed == seed
            ]
            accuracy = sum(own) / len(own)
            if accuracy > self.accuracy[index]:
                self.accuracy[index] = accuracy
                self._keep(seed)

    def _keep(self, seed: int) -> None:
        for branch, rows in self._simulator.layout.branches.items():
            own = torch.tensor([agent.seed == seed for agent in rows.agents])
            self._theta[branch][own] = rows.params[own]

    def put_back(self) -> None:
        """Let the simulator's parameters be the best ones."""
        for branch, rows in self._simulator.layout.branches.items():
            rows.params.copy_(self._theta[branch])

    def tensors(self) -> dict[str, Tensor]:
        """All that a checkpoint must hold."""
        kept = {f"best|{branch}": value for branch, value in self._theta.items()}
        return kept | {"best-accuracy": self.accuracy}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what :meth:`tensors` gave."""
        for branch, value in self._theta.items():
            value.copy_(tensors[f"best|{branch}"])
        self.accuracy.copy_(tensors["best-accuracy"])
