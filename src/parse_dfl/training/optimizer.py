"""SGD with momentum, Adam and AdamW over rows: each row has its own step count.

The arithmetic is torch.optim's fused kernels, one pass over memory for parameters, gradients and
moments together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd

from parse_dfl.training.config import TrainingConfig
from parse_dfl.training.momentum import LAST
from parse_dfl.training.rows import BranchRows

BETA_2 = 0.999
EPSILON = 1e-8

MOMENTS = {"adam": ("first", "second"), "adamw": ("first", "second"), "sgd": ("momentum",)}


class RowOptimizer:
    """Updates a block of a branch's rows in place."""

    def __init__(self, config: TrainingConfig) -> None:
        self.config = config

    @property
    def matrices(self) -> int:
        """How many matrices of the parameters' size :meth:`moments` gives."""
        return len(MOMENTS[self.config.optimizer]) + bool(self.config.global_momentum)

    def moments(self, theta: Tensor) -> dict[str, Tensor]:
        """Fresh moments for a matrix, all zero; with global momentum, where the row stands."""
        moments = {name: torch.zeros_like(theta) for name in MOMENTS[self.config.optimizer]}
        return moments | ({LAST: theta.clone()} if self.config.global_momentum else {})

    @torch.no_grad()
    def step(self, blocks: Sequence[tuple[BranchRows, slice]], lr: float) -> None:
        """One step on blocks of rows with the gradients that lie there, all in one call."""
        wide = [(rows, block) for rows, block in blocks if rows.width]
        if wide:
            update = self._sgd if self.config.optimizer == "sgd" else self._adam
            update(wide, lr)
        for rows, block in blocks:
            rows.steps[block] += 1

    def _sgd(self, blocks: Sequence[tuple[BranchRows, slice]], lr: float) -> None:
        sgd(
            [rows.theta[block] for rows, block in blocks],
            [rows.gradient_of(block) for rows, block in blocks],
            [rows.moments["momentum"][block] for rows, block in blocks],
            fused=True,
            lr=lr,
            momentum=self.config.momentum,
            weight_decay=self.config.weight_decay,
            dampening=0.0,
            nesterov=False,
            maximize=False,
        )

    def _adam(self, blocks: Sequence[tuple[BranchRows, slice]], lr: float) -> None:
        runs = [
            (rows, block, run, count)
            for rows, block in blocks
            for count, run in _equal_steps(rows.steps[block])
        ]
        update = adamw if self.config.optimizer == "adamw" else adam
        update(
            [rows.theta[block][run] for rows, block, run, _ in runs],
            [rows.gradient_of(block)[run] for rows, block, run, _ in runs],
            [rows.moments["first"][block][run] for rows, block, run, _ in runs],
            [rows.moments["second"][block][run] for rows, block, run, _ in runs],
            [],
            [torch.tensor(float(count), device=rows.theta.device) for rows, *_, count in runs],
            fused=True,
            lr=lr,
            beta1=self.config.momentum,
            beta2=BETA_2,
            eps=EPSILON,
            weight_decay=self.config.weight_decay,
            amsgrad=False,
            maximize=False,
        )


def _equal_steps(steps: Tensor) -> Iterator[tuple[int, slice]]:
    """A block cut where step counts, and so bias corrections, change: (steps so far, its rows)."""
    counts = steps.tolist()
    start = 0
    for end in range(1, len(counts) + 1):
        if end == len(counts) or counts[end] != counts[start]:
            yield counts[start], slice(start, end)
            start = end
