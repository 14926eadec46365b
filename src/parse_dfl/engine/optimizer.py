"""Update rows by SGD, Adam or AdamW, with learning-rate factors and quasi-global momentum.

Uncompiled steps use the fused kernels of torch.optim: one pass over memory for parameters,
gradients and moments together.  Those know one step count for all rows that they are given, which
must be read before they are called.  In a compiled step (:func:`update_rows`) every row brings its
own as a number among others, and the compiler fuses the update with what found the gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from math import inf, log

import torch
from torch import Tensor

from parse_dfl.agents import AgentSpec
from parse_dfl.config import TrainingConfig
from parse_dfl.engine.state import BranchState, StateBlock
from parse_dfl.errors import ConfigError
from parse_dfl.methods.base import Stage, full_lr
from parse_dfl.torch_internals import foreach_add_, fused_adam, fused_adamw, fused_sgd

BETA_2 = 0.999
EPSILON = 1e-8

MOMENTS = {"adam": ("first", "second"), "adamw": ("first", "second"), "sgd": ("momentum",)}
LAST = "last"
"""The name, among a branch's moments, of the parameters as the last round began."""


def shares_second(config: TrainingConfig) -> bool:
    """Tell whether second moments are exchanged together with the parameters."""
    return config.share_moments == "second" and "second" in MOMENTS[config.optimizer]


class RowOptimizer:
    """Updates a block of a branch's rows in place."""

    def __init__(self, config: TrainingConfig) -> None:
        self.config = config

    @property
    def matrices(self) -> int:
        """The number of matrices of the parameters' size :meth:`moments` gives."""
        return len(MOMENTS[self.config.optimizer]) + bool(self.config.global_momentum)

    def moments(self, theta: Tensor) -> dict[str, Tensor]:
        """Return fresh moments for a matrix: zeros, and with global momentum its rows."""
        moments = {name: torch.zeros_like(theta) for name in MOMENTS[self.config.optimizer]}
        return moments | ({LAST: theta.clone()} if self.config.global_momentum else {})

    @torch.no_grad()
    def step(self, blocks: Sequence[StateBlock], lr: float) -> None:
        """Take one step on blocks of rows with the gradients that lie there, all in one call."""
        wide = [block for block in blocks if block.params.shape[1]]
        if wide:
            update = self._sgd if self.config.optimizer == "sgd" else self._adam
            update(wide, lr)
        foreach_add_([block.steps for block in blocks], 1)

    def _sgd(self, blocks: Sequence[StateBlock], lr: float) -> None:
        fused_sgd(
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
        update = fused_adamw if self.config.optimizer == "adamw" else fused_adam
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
    """Cut a block where step counts, and so bias corrections, change: (steps so far, rows)."""
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
    """Take one step of a block of rows in place; ``gradient``: shape=(h, P), ``lr``: shape=() or a
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
        if config.momentum:
            gradient = _update_moment(momentum, config.momentum, gradient, 1.0)
        step = by_row.to(exact) * gradient
    else:
        step = _adam_step(config.momentum, rows, gradient, lr)
    rows.params.copy_(theta - step)


def update_unevenly(update: Update, rows: StateBlock, gradient: Tensor, lr: Tensor) -> None:
    """Take one step with a learning rate per row, shape=(h,).

    A row whose rate is zero stays as it is, moments and step count included.
    """
    before = rows.map(Tensor.clone)
    update(rows, gradient, lr)
    for value, old in zip(rows.tensors, before.tensors, strict=True):
        stays = (lr == 0).view(-1, *[1] * (value.dim() - 1))
        value.copy_(torch.where(stays, old, value))


def _adam_step(beta_1: float, rows: StateBlock, gradient: Tensor, lr: Tensor) -> Tensor:
    """Return lr · m̂ / (√v̂ + ε), with each row's own bias corrections.

    These are one small tensor, which the compiler computes by itself: it repeats nothing that
    holds an exp for every parameter.
    """
    first = _update_moment(rows.moments["first"], beta_1, gradient, 1 - beta_1)
    second = _update_moment(rows.moments["second"], BETA_2, gradient.square(), 1 - BETA_2)
    steps = rows.steps.to(torch.float64)  # 1 - 0.999 would leave float32 four digits
    of_first, of_second = (1 - torch.exp(steps * _log(beta)) for beta in (beta_1, BETA_2))
    factors = torch.stack([lr / of_first, of_second.rsqrt()], 1).to(gradient.dtype)
    return first * factors[:, :1] / (second.sqrt() * factors[:, 1:] + EPSILON)


def _log(beta: float) -> float:
    """Return log β, −∞ without momentum."""
    return log(beta) if beta else -inf


def _update_moment(moment: Tensor, kept: float, value: Tensor, share: float) -> Tensor:
    """Update a moment in place: ``kept`` of it and a ``share`` of the value."""
    moved = kept * moment.to(value.dtype) + share * value
    moment.copy_(moved)
    return moved


@torch.no_grad()
def add_quasi_global_momentum(rows: BranchState, coefficient: float) -> None:
    """Add ``coefficient`` × (θ_t − θ_{t−1}) to each row, before the local steps of round t.

    Under label skew an agent's own momentum keeps pulling towards its own data after the exchange.
    The difference of two rounds' parameters, exchange included, is closer to the way of all, and
    costs nothing to send.  With the learning rates of the rounds,

        θ ← θ + γ · (lr_t / lr_{t−1}) · (θ_t − θ_{t−1})

    The pull towards the neighbours is carried on as well, which speeds gossip up as second-order
    diffusion does (Muthukrishnan, Ghosh, Schultz, 1998).  Like that, it is stable only where every
    eigenvalue μ of W is above −1/(1 + 2γ): −0.385 for γ = 0.8.  (The mode of μ follows
    z² − μ(1 + γ)z + μγ = 0, which leaves the unit circle at z = −1.)  Rings stay above −1/3; a
    chordal ring of 10 goes down to −0.6, and its agents drift apart.

    Paper: "Quasi-Global Momentum: Accelerating Decentralized Deep Learning on Heterogeneous Data",
    Lin, Karimireddy, Stich, Jaggi, ICML 2021; here with the local optimizer's own preconditioning
    inside the difference, and without a running mean.
    """
    last = rows.moments[LAST]
    difference = rows.params - last
    last.copy_(rows.params)
    rows.params.add_(difference, alpha=coefficient)


Rates = Mapping[str, tuple[float, ...]]
"""By the branch's label, a factor per row."""


def rates_of(stage: Stage, rows: Mapping[str, StateBlock], agents: Sequence[AgentSpec]) -> Rates:
    """Ask the stage for the factor of every branch of ``rows`` and each of its ``agents``.

    Raises:
        ConfigError: a factor is negative or not finite.
    """
    if stage.lr_scale is full_lr:
        return dict.fromkeys(rows, (1.0,) * len(agents))
    rates = {
        label: tuple(float(stage.lr_scale(block.branch, agent)) for agent in agents)
        for label, block in rows.items()
    }
    for label, factors in rates.items():
        for agent, rate in zip(agents, factors, strict=True):
            if not 0 <= rate < inf:
                raise ConfigError(
                    f"the stage's rate factor of {label} for agent {agent.name!r} is {rate:g}; "
                    "it must be finite and at least 0"
                )
    return rates


def common_rate(rates: Sequence[float]) -> float | None:
    """Return the factor that all rows have, or None where they differ."""
    return rates[0] if len(set(rates)) == 1 else None


def rows_by_rate(rows: Mapping[str, StateBlock], rates: Rates) -> dict[float, list[StateBlock]]:
    """Cut blocks where the factor changes, and gather the pieces of equal factors.

    Rows with factor zero are left out: they take no step, and none is counted.
    """
    pieces: dict[float, list[StateBlock]] = {}
    for label, block in rows.items():
        for rows_alike, rate in _runs(rates[label]):
            if rate:
                whole = rows_alike == slice(0, len(rates[label]))
                piece = block if whole else block.rows(rows_alike)
                pieces.setdefault(rate, []).append(piece)
    return pieces


def _runs(values: Sequence[float]) -> list[tuple[slice, float]]:
    """Return runs of equal neighbouring values."""
    ends = [end for end in range(1, len(values)) if values[end] != values[end - 1]]
    bounds = [0, *ends, len(values)]
    return [(slice(start, end), values[start]) for start, end in pairwise(bounds)]
