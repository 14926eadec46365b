"""SGD with momentum, Adam and AdamW over rows: each row has its own step count.

The arithmetic is torch.optim's fused kernels, one pass over memory for parameters, gradients and
moments together.
"""

from __future__ import annotations

from collections.abc import Iterator

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

    def moments(self, theta: Tensor) -> dict[str, Tensor]:
        """Fresh moments for a matrix, all zero; with global momentum, where the row stands."""
        moments = {name: torch.zeros_like(theta) for name in MOMENTS[self.config.optimizer]}
        return moments | ({LAST: theta.clone()} if self.config.global_momentum else {})

    @torch.no_grad()
    def step(self, rows: BranchRows, block: slice, lr: float) -> None:
        """One step on the rows of ``block`` with the gradients that lie there."""
        if rows.width:
            update = self._sgd if self.config.optimizer == "sgd" else self._adam
            update(rows, block, lr)
        rows.steps[block] += 1

    def _sgd(self, rows: BranchRows, block: slice, lr: float) -> None:
        sgd(
            [rows.theta[block]],
            [rows.gradient[block]],
            [rows.moments["momentum"][block]],
            fused=True,
            lr=lr,
            momentum=self.config.momentum,
            weight_decay=self.config.weight_decay,
            dampening=0.0,
            nesterov=False,
            maximize=False,
        )

    def _adam(self, rows: BranchRows, block: slice, lr: float) -> None:
        counts, runs = zip(*_equal_steps(rows.steps, block), strict=True)
        update = adamw if self.config.optimizer == "adamw" else adam
        update(
            [rows.theta[run] for run in runs],
            [rows.gradient[run] for run in runs],
            [rows.moments["first"][run] for run in runs],
            [rows.moments["second"][run] for run in runs],
            [],
            [torch.tensor(float(count), device=rows.theta.device) for count in counts],
            fused=True,
            lr=lr,
            beta1=self.config.momentum,
            beta2=BETA_2,
            eps=EPSILON,
            weight_decay=self.config.weight_decay,
            amsgrad=False,
            maximize=False,
        )


def _equal_steps(steps: Tensor, block: slice) -> Iterator[tuple[int, slice]]:
    """The block cut where step counts, and so bias corrections, change: (steps so far, rows)."""
    counts = steps[block].tolist()
    start = 0
    for end in range(1, len(counts) + 1):
        if end == len(counts) or counts[end] != counts[start]:
            yield counts[start], slice(block.start + start, block.start + end)
            start = end
