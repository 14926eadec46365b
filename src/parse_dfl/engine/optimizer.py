"""SGD with momentum, Adam and AdamW over rows, as calls and as one compiled update.

The arithmetic is torch.optim's fused kernels, one pass over memory for parameters, gradients and
moments together.

The optimizer's step in plain tensor operations, for a step that is compiled as a whole.

torch's fused kernels (:mod:`parse_dfl.engine.optimizer`) know one step count for all rows they
are given, which must be read before they are called; here every row brings its own as a number
among others, and the compiler fuses the update with what found the gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import inf, log

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd

from parse_dfl.config import TrainingConfig
from parse_dfl.engine.state import LAST, StateBlock

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
    def step(self, blocks: Sequence[StateBlock], lr: float) -> None:
        """One step on blocks of rows with the gradients that lie there, all in one call."""
        wide = [block for block in blocks if block.params.shape[1]]
        if wide:
            update = self._sgd if self.config.optimizer == "sgd" else self._adam
            update(wide, lr)
        torch._foreach_add_([block.steps for block in blocks], 1)

    def _sgd(self, blocks: Sequence[StateBlock], lr: float) -> None:
        sgd(
            [block.params for block in blocks],
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

    def _adam(self, blocks: Sequence[StateBlock], lr: float) -> None:
        runs = [run for block in blocks for run in _equal_steps(block)]
        counts = torch.tensor([float(count) for count, _ in runs], device=blocks[0].params.device)
        update = adamw if self.config.optimizer == "adamw" else adam
        update(
            [run.params for _, run in runs],
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


def _equal_steps(block: StateBlock) -> Iterator[tuple[int, StateBlock]]:
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


Update = Callable[[StateBlock, Tensor, Tensor], None]
""":func:`update_rows` of one configuration."""


def update_rows(config: TrainingConfig, rows: StateBlock, gradient: Tensor, lr: Tensor) -> None:
    """One step of a block of rows in place; ``gradient``: shape=(h, P), ``lr``: shape=() or a
    learning rate per row, shape=(h,)."""
    rows.steps.add_(1)
    exact = torch.promote_types(rows.params.dtype, torch.float32)  # bfloat16 has 8 bits
    theta, gradient = rows.params.to(exact), gradient.to(exact)
    by_row = lr.unsqueeze(1) if lr.dim() else lr
    if config.optimizer == "adamw":
        theta = theta * (1 - by_row * config.weight_decay).to(exact)
    elif config.weight_decay:
        gradient = gradient + config.weight_decay * theta
    if config.optimizer == "sgd":
        momentum = rows.moments["momentum"]
        moved = _moved(momentum, config.momentum, gradient, 1.0) if config.momentum else gradient
        way = by_row.to(exact) * moved
    else:
        way = _adams_way(config.momentum, rows, gradient, lr)
    rows.params.copy_(theta - way)


def update_unevenly(update: Update, rows: StateBlock, gradient: Tensor, lr: Tensor) -> None:
    """One step with a learning rate per row, shape=(h,); a row whose rate is zero stays as it is,
    moments and step count included."""
    before = rows.map(Tensor.clone)
    update(rows, gradient, lr)
    for value, old in zip(rows.tensors, before.tensors, strict=True):
        stays = (lr == 0).view(-1, *[1] * (value.dim() - 1))
        value.copy_(torch.where(stays, old, value))


def _adams_way(beta_1: float, rows: StateBlock, gradient: Tensor, lr: Tensor) -> Tensor:
    """lr · m̂ / (√v̂ + ε), with each row's own bias corrections.

    These are one small tensor, which the compiler computes by itself: it repeats nothing that
    holds an exp for every parameter.
    """
    first = _moved(rows.moments["first"], beta_1, gradient, 1 - beta_1)
    second = _moved(rows.moments["second"], BETA_2, gradient.square(), 1 - BETA_2)
    steps = rows.steps.to(torch.float64)  # 1 - 0.999 would leave float32 four digits
    of_first, of_second = (1 - torch.exp(steps * _log(beta)) for beta in (beta_1, BETA_2))
    factors = torch.stack([lr / of_first, of_second.rsqrt()], 1).to(gradient.dtype)
    return first * factors[:, :1] / (second.sqrt() * factors[:, 1:] + EPSILON)


def _log(beta: float) -> float:
    """Also of no momentum at all."""
    return log(beta) if beta else -inf


def _moved(moment: Tensor, kept: float, value: Tensor, share: float) -> Tensor:
    """A moment moved on in place: ``kept`` of it and a ``share`` of the value."""
    moved = kept * moment.to(value.dtype) + share * value
    moment.copy_(moved)
    return moved
