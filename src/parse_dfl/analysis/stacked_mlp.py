"""Train small classifiers and regressors side by side: N perceptrons in stacked matrices.

Letters: N networks, B batch, D features, K outputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from parse_dfl.agents import Kind
from parse_dfl.data.standardise import fit
from parse_dfl.torch_internals import fused_adamw

HIDDEN_LAYERS = 2
BATCH_SIZE = 128


class StackedMLP:
    """N perceptrons of two hidden layers, whose inputs may differ in width.

    ``parameters`` are weights, shape (N, in, out), and biases, shape (N, 1, out), in turn.
    Weights are drawn for each network's own input width (He et al., ICCV 2015), whatever its
    padding.
    """

    def __init__(
        self, widths: Sequence[int], hidden: int, outputs: int, generator: torch.Generator
    ) -> None:
        own_scale = (2 / torch.tensor(widths, dtype=torch.float64)).sqrt().float()[:, None, None]
        sizes = [max(widths), *[hidden] * HIDDEN_LAYERS, outputs]
        self.parameters: list[Tensor] = []
        for layer, (inputs, width) in enumerate(pairwise(sizes)):
            scale = own_scale if layer == 0 else (2 / inputs) ** 0.5
            weight = torch.randn(len(widths), inputs, width, generator=generator) * scale
            bias = torch.zeros(len(widths), 1, width)
            self.parameters += [weight.requires_grad_(), bias.requires_grad_()]

    def __call__(
        self, inputs: Tensor, *, dropout: float = 0.0, generator: torch.Generator | None = None
    ) -> Tensor:
        """Return outputs, shape (N, B, K), of ``inputs``, shape (N, B, D).

        Hidden units are dropped at the rate ``dropout`` where a ``generator`` is given.
        """
        return forward(self.parameters, inputs, dropout=dropout, generator=generator)


def forward(
    parameters: Sequence[Tensor],
    inputs: Tensor,
    *,
    dropout: float = 0.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Return the outputs of networks whose weights and biases are ``parameters``, in turn."""
    values = inputs
    for weight, bias in zip(parameters[0:-2:2], parameters[1:-2:2], strict=True):
        values = torch.baddbmm(bias, values, weight).relu()
        if generator is not None:
            kept = torch.rand(values.shape, generator=generator) >= dropout
            values = values * kept / (1 - dropout)
    return torch.baddbmm(parameters[-1], values, parameters[-2])


class AdamW:
    """AdamW on a list of parameters; its rate is constant, or falls to zero over ``decay_steps``.

    The rate falls by half a cosine.  The arithmetic is torch's kernel, called as it is: the
    optimizer class around it takes seconds to import.  The fused one is faster and rounds
    differently.
    """

    def __init__(
        self,
        parameters: list[Tensor],
        *,
        lr: float,
        weight_decay: float,
        decay_steps: int | None = None,
        fused: bool = True,
    ) -> None:
        self._parameters = parameters
        self._lr, self._weight_decay = lr, weight_decay
        self._decay_steps, self._fused = decay_steps, fused
        self._first_moments = [torch.zeros_like(value) for value in parameters]
        self._second_moments = [torch.zeros_like(value) for value in parameters]
        self._steps = [torch.zeros(()) for _ in parameters]

    def step(self, loss: Tensor) -> None:
        """Take one step down ``loss``."""
        gradients = torch.autograd.grad(loss, self._parameters)
        lr = self._lr
        if self._decay_steps is not None:
            progress = float(self._steps[0]) / self._decay_steps
            lr *= 0.5 * (1 + math.cos(math.pi * progress))
        with torch.no_grad():
            fused_adamw(
                self._parameters,
                list(gradients),
                self._first_moments,
                self._second_moments,
                [],
                self._steps,
                foreach=False,
                fused=self._fused,
                lr=lr,
                beta1=0.9,
                beta2=0.999,
                eps=1e-8,
                weight_decay=self._weight_decay,
                amsgrad=False,
                maximize=False,
            )


def train(
    network: StackedMLP,
    loss: Callable[[Tensor], Tensor],
    evaluate: Callable[[], None],
    *,
    samples: int,
    steps: int,
    evaluations: int,
    lr: float,
    weight_decay: float,
    generator: torch.Generator,
) -> None:
    """Train by ``steps`` minibatches of one order for all networks, the rate falling to zero.

    Args:
        network: is changed in place.
        loss: the sum over networks on the samples at the given positions.
        evaluate: is called without gradients ``evaluations`` times, evenly spread, the last time
            at the end.
        samples: how many there are to draw minibatches from.
        steps: how many minibatches.
        evaluations: how many times ``evaluate`` is called.
        lr: at the start.
        weight_decay: AdamW's.
        generator: of the minibatches.
    """
    optimizer = AdamW(network.parameters, lr=lr, weight_decay=weight_decay, decay_steps=steps)
    due = set(np.linspace(steps / evaluations, steps, evaluations).round().astype(int).tolist())
    for step, positions in enumerate(_minibatches(samples, steps, generator), start=1):
        optimizer.step(loss(positions))
        if step in due:
            with torch.no_grad():
                evaluate()


def standardised(values: NDArray[Any], fitted: slice = slice(None)) -> NDArray[np.float32]:
    """Return features of mean 0 and standard deviation 1 over the samples ``fitted``.

    What is constant up to rounding is 0.
    """
    standardiser = fit(values[fitted], Kind.VECTOR)
    return np.asarray((values - standardiser.mean) / standardiser.scale, dtype=np.float32)


def stack(arrays: Sequence[NDArray[np.float32]]) -> Tensor:
    """Return arrays of shape (samples, width) as one tensor (N, samples, D), padded with zeros."""
    widest = max(array.shape[1] for array in arrays)
    padded = [np.pad(array, ((0, 0), (0, widest - array.shape[1]))) for array in arrays]
    return torch.from_numpy(np.stack(padded))


def _minibatches(samples: int, steps: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Yield the positions of each step's minibatch: permutations, one after the other."""
    size = min(BATCH_SIZE, samples)
    order = torch.randperm(samples, generator=generator)
    start = 0
    for _ in range(steps):
        if start + size > samples:
            order, start = torch.randperm(samples, generator=generator), 0
        yield order[start : start + size]
        start += size
