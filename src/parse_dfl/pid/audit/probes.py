"""Probes: how much of a label or factor a two-layer network reads from a representation.

A probe has two hidden layers and a head per target.  Its width, learning rate and weight decay
are the same for all representations: of the :data:`CANDIDATES` those whose readings are best on
the tuning part, averaged over all representations and targets.  Each reading stops at its own
best step on the tuning part, and is then reported on samples that neither fitted nor tuned it.

All representations of about one width are read at once, stacked along the first axis.
Letters: N readers, B batch, D features, H hidden, K scores (the classes of all targets).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from parse_dfl.pid.audit.parts import Places

Array = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Settings of a probe."""

    hidden: int
    lr: float
    weight_decay: float


CANDIDATES = (
    Candidate(hidden=64, lr=3e-3, weight_decay=0.01),
    Candidate(hidden=64, lr=1e-2, weight_decay=0.1),
    Candidate(hidden=128, lr=3e-3, weight_decay=0.3),
)
LAYERS = 2
BATCH = 128
CHECKS = 20
"""How often, evenly over the steps, a probe is tried on the tuning part."""
STEPS = 400


@dataclass(frozen=True, kw_only=True)
class Readings:
    """``accuracy``: representation → target → share of the reported samples read right;
    ``candidate``: the probe's settings; ``chance``: target → the share of the commonest value."""

    accuracy: Mapping[str, Mapping[str, float]]
    chance: Mapping[str, float]
    candidate: Candidate


def read(
    representations: Mapping[str, Array],
    targets: Mapping[str, Labels],
    places: Places,
    *,
    steps: int = STEPS,
    seed: int = 0,
) -> Readings:
    """Read every target from every representation.

    Args:
        representations: name → shape (samples, width), standardised here by the fitted part.
        targets: name → shape (samples,), whole numbers from 0.
        places: where the samples lie that are fitted on, tuned on, reported.
        steps: minibatch steps of each candidate.
        seed: of weights and minibatches.
    """
    stacks = list(_stacks(representations, places))
    tried = [
        {
            name: row
            for stack in stacks
            for name, row in _try(candidate, stack, targets, places, steps, seed).items()
        }
        for candidate in CANDIDATES
    ]
    best = int(np.argmax([np.mean([row.tuned for row in rows.values()]) for rows in tried]))
    chosen = {
        name: dict(zip(targets, tried[best][name].reported, strict=True))
        for name in representations
    }
    chance = {
        name: float(np.bincount(value[places.report]).max() / len(value[places.report]))
        for name, value in targets.items()
    }
    return Readings(accuracy=chosen, chance=chance, candidate=CANDIDATES[best])


@dataclass(frozen=True)
class _Stack:
    """Representations of about one width, padded with zeros to it."""

    names: tuple[str, ...]
    widths: tuple[int, ...]
    values: Tensor  # shape=(N, samples, D)


def _stacks(representations: Mapping[str, Array], places: Places) -> Iterator[_Stack]:
    by_width: dict[int, list[str]] = {}
    for name, values in representations.items():
        by_width.setdefault(max(8, 1 << (values.shape[1] - 1).bit_length()), []).append(name)
    for names in by_width.values():
        own = [_standardised(representations[name], places) for name in names]
        widths = tuple(values.shape[1] for values in own)
        padded = [np.pad(values, ((0, 0), (0, max(widths) - values.shape[1]))) for values in own]
        yield _Stack(tuple(names), widths, torch.from_numpy(np.stack(padded)))


def _standardised(values: Array, places: Places) -> Array:
    """Mean 0 and standard deviation 1 over the fitted samples; a constant feature stays 0."""
    fitted = values[places.fit]
    spread = fitted.std(axis=0)
    return np.asarray((values - fitted.mean(axis=0)) / np.where(spread > 1e-6, spread, 1.0))


@dataclass(frozen=True)
class _Row:
    """A reader's accuracies, shape (targets,), at each target's best step on the tuning part."""

    tuned: NDArray[np.float64]
    reported: NDArray[np.float64]


def _try(
    candidate: Candidate,
    stack: _Stack,
    targets: Mapping[str, Labels],
    places: Places,
    steps: int,
    seed: int,
) -> dict[str, _Row]:
    generator = torch.Generator().manual_seed(seed)
    labels = [torch.from_numpy(value) for value in targets.values()]
    classes = [int(value.max()) + 1 for value in labels]
    network = _network(stack.widths, stack.values.shape[2], candidate, sum(classes), generator)
    optimizer = torch.optim.AdamW(network, lr=candidate.lr, weight_decay=candidate.weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    fitted, fitted_labels = stack.values[:, places.fit], [value[places.fit] for value in labels]
    checks = set(np.linspace(steps / CHECKS, steps, CHECKS).round().astype(int).tolist())
    tuned = torch.full((len(stack.names), len(labels)), -1.0)
    reported = torch.zeros_like(tuned)
    batches = _batches(fitted.shape[1], steps, generator)
    for step, chosen in enumerate(batches, start=1):
        scores = _forward(network, fitted[:, chosen]).split(classes, -1)
        loss = torch.stack(
            [
                functional.cross_entropy(
                    score.flatten(0, 1), label[chosen].repeat(len(stack.names)), reduction="sum"
                )
                for score, label in zip(scores, fitted_labels, strict=True)
            ]
        ).sum()
        optimizer.zero_grad(set_to_none=True)
        (loss / len(chosen)).backward()
        optimizer.step()
        schedule.step()
        if step in checks:
            found = [
                _accuracy(network, stack, labels, classes, part)
                for part in (places.tune, places.report)
            ]
            better = found[0] > tuned
            tuned = torch.where(better, found[0], tuned)
            reported = torch.where(better, found[1], reported)
    rows = zip(stack.names, tuned.double().numpy(), reported.double().numpy(), strict=True)
    return {name: _Row(*row) for name, *row in rows}


def _network(
    widths: tuple[int, ...],
    padded: int,
    candidate: Candidate,
    outputs: int,
    generator: torch.Generator,
) -> list[Tensor]:
    """Weights (N, in, out) and biases (N, 1, out), in turn; scaled by each reader's own width."""
    own = torch.tensor(widths, dtype=torch.float32)[:, None, None]
    shapes = [padded, *[candidate.hidden] * LAYERS, outputs]
    parameters = []
    for layer, (inputs, width) in enumerate(pairwise(shapes)):
        scale = (2 / (own if layer == 0 else inputs)) ** 0.5
        weight = torch.randn(len(widths), inputs, width, generator=generator) * scale
        bias = torch.zeros(len(widths), 1, width)
        parameters += [weight.requires_grad_(), bias.requires_grad_()]
    return parameters


def _forward(network: list[Tensor], inputs: Tensor) -> Tensor:
    """Scores, shape (N, B, K), of inputs, shape (N, B, D)."""
    values = inputs
    for weight, bias in zip(network[0:-2:2], network[1:-2:2], strict=True):
        values = torch.baddbmm(bias, values, weight).relu()
    return torch.baddbmm(network[-1], values, network[-2])


def _batches(samples: int, steps: int, generator: torch.Generator) -> Iterator[Tensor]:
    """The positions of each step's minibatch: permutations, one after the other."""
    batch = min(BATCH, samples)
    order = torch.randperm(samples, generator=generator)
    start = 0
    for _ in range(steps):
        if start + batch > samples:
            order, start = torch.randperm(samples, generator=generator), 0
        yield order[start : start + batch]
        start += batch


@torch.no_grad()
def _accuracy(
    network: list[Tensor], stack: _Stack, labels: list[Tensor], classes: list[int], part: slice
) -> Tensor:
    """The share of ``part`` read right, shape (N, targets)."""
    scores = _forward(network, stack.values[:, part]).split(classes, -1)
    right = [
        (score.argmax(-1) == label[part]).float().mean(1)
        for score, label in zip(scores, labels, strict=True)
    ]
    return torch.stack(right, 1)
