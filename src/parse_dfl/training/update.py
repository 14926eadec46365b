"""The optimizer's step in plain tensor operations, for a step that is compiled as a whole.

torch's fused kernels (:mod:`parse_dfl.training.optimizer`) know one step count for all rows they
are given, which must be read before they are called; here every row brings its own as a number
among others, and the compiler fuses the update with what found the gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, log

import torch
from torch import Tensor

from parse_dfl.training.config import TrainingConfig
from parse_dfl.training.optimizer import BETA_2, EPSILON
from parse_dfl.training.rows import RowBlock

Update = Callable[[RowBlock, Tensor, Tensor], None]
""":func:`update_rows` of one configuration."""


def update_rows(config: TrainingConfig, rows: RowBlock, gradient: Tensor, lr: Tensor) -> None:
    """One step of a block of rows in place; ``gradient``: shape=(h, P), ``lr``: shape=() or a
    learning rate per row, shape=(h,)."""
    rows.steps.add_(1)
    exact = torch.promote_types(rows.theta.dtype, torch.float32)  # bfloat16 has 8 bits
    theta, gradient = rows.theta.to(exact), gradient.to(exact)
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
    rows.theta.copy_(theta - way)


def update_unevenly(update: Update, rows: RowBlock, gradient: Tensor, lr: Tensor) -> None:
    """One step with a learning rate per row, shape=(h,); a row whose rate is zero stays as it is,
    moments and step count included."""
    before = rows.map(Tensor.clone)
    update(rows, gradient, lr)
    for value, old in zip(rows.tensors, before.tensors, strict=True):
        stays = (lr == 0).view(-1, *[1] * (value.dim() - 1))
        value.copy_(torch.where(stays, old, value))


def _adams_way(beta_1: float, rows: RowBlock, gradient: Tensor, lr: Tensor) -> Tensor:
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
