"""SGD with momentum, Adam and AdamW over rows: each row has its own step count.

Formulas as in torch.optim.  Work goes through the matrix in chunks of rows that stay in the
cache, so that several passes of arithmetic cost about one pass over memory.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from parse_dfl.training.config import TrainingConfig
from parse_dfl.training.rows import BranchRows

BETAS = (0.9, 0.999)
EPSILON = 1e-8
CHUNK_ELEMENTS = 1 << 16
"""Entries per chunk: four float32 matrices of it (θ, gradient, two moments) fit in 1 MiB."""

MOMENTS = {"adam": ("first", "second"), "adamw": ("first", "second"), "sgd": ("momentum",)}


class RowOptimizer:
    """Updates a block of a branch's rows in place."""

    def __init__(self, config: TrainingConfig) -> None:
        self.config = config

    def moments(self, theta: Tensor) -> dict[str, Tensor]:
        """Fresh moments for a matrix, all zero."""
        return {name: torch.zeros_like(theta) for name in MOMENTS[self.config.optimizer]}

    def step(self, rows: BranchRows, block: slice, lr: float) -> None:
        """One step on the rows of ``block`` with the gradients that lie there."""
        rows.steps[block] += 1
        update = self._sgd if self.config.optimizer == "sgd" else self._adam
        for chunk in _chunks(block, rows.width):
            update(rows, chunk, lr)

    def _decayed(self, rows: BranchRows, chunk: slice, lr: float) -> Tensor:
        """The gradient, with weight decay inside it or (AdamW) applied to θ at once."""
        gradient, decay = rows.gradient[chunk], self.config.weight_decay
        if not decay:
            return gradient
        if self.config.optimizer == "adamw":
            rows.theta[chunk].mul_(1 - lr * decay)
            return gradient
        return gradient.add(rows.theta[chunk], alpha=decay)

    def _sgd(self, rows: BranchRows, chunk: slice, lr: float) -> None:
        momentum = rows.moments["momentum"][chunk]
        momentum.mul_(self.config.momentum).add_(self._decayed(rows, chunk, lr))
        rows.theta[chunk].sub_(momentum, alpha=lr)

    def _adam(self, rows: BranchRows, chunk: slice, lr: float) -> None:
        gradient = self._decayed(rows, chunk, lr)
        first, second = rows.moments["first"][chunk], rows.moments["second"][chunk]
        first.lerp_(gradient, 1 - BETAS[0])
        second.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
        steps = rows.steps[chunk].unsqueeze(1).to(torch.float64)
        rate = (lr / (1 - BETAS[0] ** steps)).to(gradient.dtype)
        scale = (1 - BETAS[1] ** steps).rsqrt().to(gradient.dtype)
        denominator = second.sqrt().mul_(scale).add_(EPSILON)
        rows.theta[chunk].sub_(torch.div(first, denominator, out=denominator).mul_(rate))


def _chunks(block: slice, width: int) -> Iterator[slice]:
    size = max(1, CHUNK_ELEMENTS // max(1, width))
    for start in range(block.start, block.stop, size):
        yield slice(start, min(start + size, block.stop))
