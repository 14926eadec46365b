"""Class scores of every sample from a network that has not seen it (cross-fitting).

The networks of all folds are trained at once, stacked along the first axis, and each is stopped
where its own stopping set says.  Letters: K folds, B batch, D features, H hidden, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from parse_dfl.analysis.pid.features import Features
from parse_dfl.analysis.pid.folds import Fold
from parse_dfl.analysis.pid.information import Table

HIDDEN = 64
LAYERS = 2
DROPOUT = 0.1
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 1e-2
BATCH = 128
EPOCHS = 120
PATIENCE = 12
"""Epochs without progress on the stopping set after which a fold's network is done."""
PROGRESS_NATS = 1e-3
"""What counts as progress; networks that err nowhere gain less for ever."""


@dataclass(frozen=True, kw_only=True)
class _Task:
    inputs: Tensor  # shape=(samples, D)
    label: Tensor  # shape=(samples,)
    train: Tensor  # shape=(K, n)
    stop: Tensor  # shape=(K, m)


def cross_scores(
    inputs: Features, label: NDArray[np.int64], folds: Sequence[Fold], seed: int
) -> Table:
    """Unnormalised class scores of all samples, shape (samples, C), each out of fold."""
    task = _Task(
        inputs=torch.from_numpy(inputs),
        label=torch.from_numpy(label),
        train=_stacked([fold.train for fold in folds]),
        stop=_stacked([fold.stop for fold in folds]),
    )
    network = _train(task, int(label.max()) + 1, torch.Generator().manual_seed(seed))
    scores = np.empty((len(label), int(label.max()) + 1))
    with torch.no_grad():
        for row, fold in enumerate(folds):
            one = [parameter[row : row + 1] for parameter in network]
            judged = task.inputs[torch.from_numpy(fold.judged)]
            scores[fold.judged] = _forward(one, judged[None])[0].double().numpy()
    return scores


def _stacked(parts: Sequence[NDArray[np.int64]]) -> Tensor:
    """The parts as one tensor, all as long as the shortest."""
    shortest = min(len(part) for part in parts)
    return torch.from_numpy(np.stack([part[:shortest] for part in parts]))


def _train(task: _Task, classes: int, generator: torch.Generator) -> list[Tensor]:
    folds, samples = task.train.shape
    network = _network(folds, [task.inputs.shape[1], *[HIDDEN] * LAYERS, classes], generator)
    optimizer = torch.optim.AdamW(network, lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    best = [parameter.detach().clone() for parameter in network]
    least = torch.full((folds,), torch.inf)
    waited = torch.zeros(folds)
    batch = min(BATCH, samples)
    for _ in range(EPOCHS):
        order = torch.rand(folds, samples, generator=generator).argsort(dim=1)
        shuffled = task.train.gather(1, order)
        for start in range(0, samples - batch + 1, batch):
            chosen = shuffled[:, start : start + batch]
            optimizer.zero_grad(set_to_none=True)
            _losses(network, task, chosen, generator).sum().backward()
            optimizer.step()
        with torch.no_grad():
            loss = _losses(network, task, task.stop, None)
        better = loss < least - PROGRESS_NATS
        least, waited = torch.where(better, loss, least), torch.where(better, 0, waited + 1)
        for kept, parameter in zip(best, network, strict=True):
            kept[better] = parameter.detach()[better]
        if (waited >= PATIENCE).all():
            break
    return best


def _network(folds: int, widths: Sequence[int], generator: torch.Generator) -> list[Tensor]:
    """Weights (K, in, out) and biases (K, 1, out), in turn."""
    parameters = []
    for inputs, outputs in pairwise(widths):
        weight = torch.randn(folds, inputs, outputs, generator=generator) * (2 / inputs) ** 0.5
        parameters += [weight.requires_grad_(), torch.zeros(folds, 1, outputs, requires_grad=True)]
    return parameters


def _forward(
    network: Sequence[Tensor], inputs: Tensor, generator: torch.Generator | None = None
) -> Tensor:
    """Scores, shape (K, B, C), of inputs, shape (K, B, D); drops units if given a generator."""
    values = inputs
    for weight, bias in zip(network[0:-2:2], network[1:-2:2], strict=True):
        values = torch.baddbmm(bias, values, weight).relu()
        if generator is not None:
            kept = torch.rand(values.shape, generator=generator) >= DROPOUT
            values = values * kept / (1 - DROPOUT)
    return torch.baddbmm(network[-1], values, network[-2])


def _losses(
    network: Sequence[Tensor], task: _Task, chosen: Tensor, generator: torch.Generator | None
) -> Tensor:
    """The mean cross-entropy of each fold's network on its chosen samples, shape (K,)."""
    scores = _forward(network, task.inputs[chosen], generator)
    losses = functional.cross_entropy(scores.mT, task.label[chosen], reduction="none")
    return losses.mean(dim=1)
