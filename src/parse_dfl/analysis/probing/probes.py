"""Probes: how much of a label or factor a two-layer network reads from a representation.

A probe has two hidden layers and a head per target.  Its width, learning rate and weight decay
are the same for all representations: of the :data:`CANDIDATES` those whose readings are best on
the tuning part, averaged over all representations and targets.  Each reading stops at its own
best step on the tuning part, and is then reported on samples that neither fitted nor tuned it.

Representations of about one width are read at once, as stacked networks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from parse_dfl.analysis.probing.parts import Places
from parse_dfl.analysis.probing.stacked_mlp import (
    Descent,
    batches,
    checkpoints,
    forward,
    network,
    stacked,
    standardised,
)

Array = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Settings of a probe."""

    hidden: int
    lr: float
    weight_decay: float


CANDIDATES = (
    Candidate(hidden=32, lr=1e-2, weight_decay=0.1),
    Candidate(hidden=64, lr=3e-3, weight_decay=0.01),
    Candidate(hidden=64, lr=1e-2, weight_decay=0.5),
)
CHECKS = 20
"""How often, evenly over the steps, a probe is tried on the tuning part."""


@dataclass(frozen=True, kw_only=True)
class Readings:
    """What probes read on the reported samples.

    ``accuracy``: representation → target → share read right.  ``scores``: representation → class
    scores of the first target, shape (samples, classes), of the step whose cross-entropy on the
    tuning part is least.  ``chance``: target → the share of its commonest value.
    """

    accuracy: Mapping[str, Mapping[str, float]]
    scores: Mapping[str, Array]
    chance: Mapping[str, float]
    candidate: Candidate


def read(
    representations: Mapping[str, Array],
    targets: Mapping[str, Labels],
    places: Places,
    *,
    steps: int,
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
    task = _Task(targets, places, steps, seed)
    tried = [
        {name: row for stack in stacks for name, row in _try(candidate, stack, task).items()}
        for candidate in CANDIDATES
    ]
    best = int(np.argmax([np.mean([row.tuned for row in rows.values()]) for rows in tried]))
    return Readings(
        accuracy={
            name: dict(zip(targets, tried[best][name].reported.tolist(), strict=True))
            for name in representations
        },
        scores={name: tried[best][name].scores for name in representations},
        chance={
            name: float(np.bincount(own).max() / len(own))
            for name, own in ((name, each[places.report]) for name, each in targets.items())
        },
        candidate=CANDIDATES[best],
    )


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
        own = [standardised(representations[name], places.fit) for name in names]
        yield _Stack(tuple(names), tuple(each.shape[1] for each in own), stacked(own))


class _Task:
    """The targets, where to read them, and for how long."""

    def __init__(
        self, targets: Mapping[str, Labels], places: Places, steps: int, seed: int
    ) -> None:
        self.labels = [torch.from_numpy(value) for value in targets.values()]
        self.classes = [int(value.max()) + 1 for value in self.labels]
        self.places, self.steps, self.seed = places, steps, seed

    def loss(self, outputs: Tensor, chosen: Tensor) -> Tensor:
        """The sum over networks and targets of the mean cross-entropy on fitted samples."""
        losses = [
            functional.cross_entropy(
                scores.flatten(0, 1), label[chosen].repeat(len(outputs)), reduction="sum"
            )
            for scores, label in zip(
                outputs.split(self.classes, -1), self.labels_of(self.places.fit), strict=True
            )
        ]
        return torch.stack(losses).sum() / len(chosen)

    def labels_of(self, part: slice) -> list[Tensor]:
        """Each target's labels of a part."""
        return [label[part] for label in self.labels]

    def accuracy(self, outputs: Tensor, part: slice) -> Tensor:
        """The share of ``part`` read right, shape (N, targets)."""
        right = [
            (scores.argmax(-1) == label).double().mean(1)
            for scores, label in zip(
                outputs.split(self.classes, -1), self.labels_of(part), strict=True
            )
        ]
        return torch.stack(right, 1)


@dataclass(frozen=True)
class _Row:
    """A reader's accuracies, shape (targets,), at each target's best step on the tuning part."""

    tuned: NDArray[np.float64]
    reported: NDArray[np.float64]
    scores: Array


class _Best:
    """What was best on the tuning part so far, reader by reader and target by target."""

    def __init__(self, readers: int, task: _Task) -> None:
        self._task = task
        self.tuned = torch.full((readers, len(task.labels)), -1.0, dtype=torch.float64)
        self.reported = torch.zeros_like(self.tuned)
        self._least = torch.full((readers,), torch.inf)
        report = len(task.labels[0][task.places.report])
        self.scores = torch.zeros(readers, report, task.classes[0])

    @torch.no_grad()
    def update(self, parameters: list[Tensor], values: Tensor) -> None:
        """Try the networks, and keep the report of those that have become better."""
        places, first = self._task.places, self._task.classes[0]
        tuning = forward(parameters, values[:, places.tune])
        reporting = forward(parameters, values[:, places.report])
        tuned = self._task.accuracy(tuning, places.tune)
        better = tuned > self.tuned
        self.tuned = torch.where(better, tuned, self.tuned)
        self.reported = torch.where(
            better, self._task.accuracy(reporting, places.report), self.reported
        )
        label = self._task.labels[0][places.tune].expand(len(tuned), -1)
        loss = functional.cross_entropy(
            tuning[..., :first].transpose(1, 2), label, reduction="none"
        ).mean(1)
        surer = loss < self._least
        self._least = torch.where(surer, loss, self._least)
        self.scores[surer] = reporting[surer][..., :first]


def _try(candidate: Candidate, stack: _Stack, task: _Task) -> dict[str, _Row]:
    generator = torch.Generator().manual_seed(task.seed)
    parameters = network(stack.widths, candidate.hidden, sum(task.classes), generator)
    descent = Descent(
        parameters, lr=candidate.lr, weight_decay=candidate.weight_decay, steps=task.steps
    )
    fitted = stack.values[:, task.places.fit]
    due = checkpoints(task.steps, CHECKS)
    best = _Best(len(stack.names), task)
    for step, chosen in enumerate(batches(fitted.shape[1], task.steps, generator), start=1):
        descent.step(task.loss(forward(parameters, fitted[:, chosen]), chosen))
        if step in due:
            best.update(parameters, stack.values)
    parts = (best.tuned.numpy(), best.reported.numpy(), best.scores.numpy())
    return {name: _Row(*row) for name, *row in zip(stack.names, *parts, strict=True)}
