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
from parse_dfl.training.rows import RowBlock

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
    def step(self, blocks: Sequence[RowBlock], lr: float) -> None:
        """One step on blocks of rows with the gradients that lie there, all in one call."""
        wide = [block for block in blocks if block.theta.shape[1]]
        if wide:
            update = self._sgd if self.config.optimizer == "sgd" else self._adam
            update(wide, lr)
        torch._foreach_add_([block.steps for block in blocks], 1)

    def _sgd(self, blocks: Sequence[RowBlock], lr: float) -> None:
        sgd(
            [block.theta for block in blocks],
            [block.gradient for block in blocks],
            [block.moments["momentum"] for block in blocks],
            fused=True,
            lr=lr,
            momentum=self.config.momentum,
            weight_decay=self.config.weight_decay,
            dampening=0.0,
            nesterov=False,
            maximize=False,
        )

    def _adam(self, blocks: Sequence[RowBlock], lr: float) -> None:
        runs = [run for block in blocks for run in _equal_steps(block)]
        counts = torch.tensor([float(count) for count, _ in runs], device=blocks[0].theta.device)
        update = adamw if self.config.optimizer == "adamw" else adam
        update(
            [run.theta for _, run in runs],
            [run.gradient for _, run in runs],
            [run.moments["first"] for _, run in runs],
            [run.moments["second"] for _, run in runs],
            [],
            list(counts.unbind()),
            fused=True,
            lr=lr,
            beta1=self.config.momentum,
            beta2=BETA_2,
            eps=EPSILON,
            weight_decay=self.config.weight_decay,
            amsgrad=False,
            maximize=False,
        )


def _equal_steps(block: RowBlock) -> Iterator[tuple[int, RowBlock]]:
    """A block cut where step counts, and so bias corrections, change: (steps so far, its rows)."""
    counts = block.steps.tolist()
    if len(set(counts)) == 1:
        yield counts[0], block
        return
    start = 0
    for end in range(1, len(counts) + 1):
        if end == len(counts) or counts[end] != counts[start]:
            yield counts[start], block.rows(slice(start, end))
            start = end
