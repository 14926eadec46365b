"""Small networks side by side: N perceptrons of two hidden layers in stacked matrices.

Letters: N networks, B batch, D features, H hidden, K outputs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from parse_dfl.agents import Kind
from parse_dfl.data.standardise import fit
from parse_dfl.torch_internals import fused_adamw

Array = NDArray[np.float32]

LAYERS = 2
BATCH = 128


def stacked(values: Sequence[Array]) -> Tensor:
    """Arrays of shape (samples, width) as one tensor (N, samples, D), padded with zeros."""
    widest = max(each.shape[1] for each in values)
    padded = [np.pad(each, ((0, 0), (0, widest - each.shape[1]))) for each in values]
    return torch.from_numpy(np.stack(padded))


def standardised(values: Array, fitted: slice) -> Array:
    """Mean 0 and standard deviation 1 over the fitted samples; a constant feature is 0."""
    own = fit(values[fitted], Kind.VECTOR)
    return np.asarray((values - own.mean) / own.scale, dtype=np.float32)


def network(
    widths: Sequence[int], hidden: int, outputs: int, generator: torch.Generator
) -> list[Tensor]:
    """Weights (N, in, out) and biases (N, 1, out), in turn, for N inputs of ``widths``.

    Weights are drawn for each input's own width (He et al., ICCV 2015), whatever its padding.
    """
    first = (2 / torch.tensor(widths, dtype=torch.float32))[:, None, None] ** 0.5
    parameters = []
    for layer, (inputs, width) in enumerate(pairwise([max(widths), *[hidden] * LAYERS, outputs])):
        scale = first if layer == 0 else (2 / inputs) ** 0.5
        weight = torch.randn(len(widths), inputs, width, generator=generator) * scale
        bias = torch.zeros(len(widths), 1, width)
        parameters += [weight.requires_grad_(), bias.requires_grad_()]
    return parameters


def forward(parameters: Sequence[Tensor], inputs: Tensor) -> Tensor:
    """Outputs, shape (N, B, K), of inputs, shape (N, B, D)."""
    values = inputs
    for weight, bias in zip(parameters[0:-2:2], parameters[1:-2:2], strict=True):
        values = torch.baddbmm(bias, values, weight).relu()
    return torch.baddbmm(parameters[-1], values, parameters[-2])


def batches(samples: int, steps: int, generator: torch.Generator) -> Iterator[Tensor]:
    """The positions of each step's minibatch: permutations, one after the other."""
    batch = min(BATCH, samples)
    order = torch.randperm(samples, generator=generator)
    start = 0
    for _ in range(steps):
        if start + batch > samples:
            order, start = torch.randperm(samples, generator=generator), 0
        yield order[start : start + batch]
        start += batch


class Descent:
    """AdamW on a list of parameters, its rate falling to zero by half a cosine over ``steps``.

    The arithmetic is torch's fused kernel, called as it is: the optimizer class around it takes
    seconds to import.
    """

    def __init__(
        self, parameters: list[Tensor], *, lr: float, weight_decay: float, steps: int
    ) -> None:
        self._parameters = parameters
        self._lr, self._weight_decay, self._steps = lr, weight_decay, steps
        self._first = [torch.zeros_like(value) for value in parameters]
        self._second = [torch.zeros_like(value) for value in parameters]
        self._done = [torch.zeros(()) for _ in parameters]

    def step(self, loss: Tensor) -> None:
        """Go down ``loss`` by one step."""
        gradients = torch.autograd.grad(loss, self._parameters)
        progress = float(self._done[0]) / self._steps
        with torch.no_grad():
            fused_adamw(
                self._parameters,
                list(gradients),
                self._first,
                self._second,
                [],
                self._done,
                fused=True,
                lr=self._lr * 0.5 * (1 + math.cos(math.pi * progress)),
                beta1=0.9,
                beta2=0.999,
                eps=1e-8,
                weight_decay=self._weight_decay,
                amsgrad=False,
                maximize=False,
            )


def checkpoints(steps: int, count: int) -> set[int]:
    """``count`` steps (from 1), evenly spread, the last among them."""
    return set(np.linspace(steps / count, steps, count).round().astype(int).tolist())
