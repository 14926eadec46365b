"""Probe how much of a label or factor a two-layer network reads from a representation.

A probe has two hidden layers and a head per target.  Its width, learning rate and weight decay
are the same for all representations: of the :data:`CANDIDATES` those whose accuracies are best on
the tuning part, averaged over all representations and targets.  Each accuracy is that of the
probe's own best step on the tuning part, and is then reported on samples that neither fitted nor
tuned it.  Representations of about one width are read at once, as stacked networks.

Purity says how far a slice holds its own label bits alone, where the data's true factors are
known: label bits of synthetic data are called ``redundant``, ``unique_a``, ``synergy`` (with more
than two modalities ``synergy_ab``), numbered where there are several; ``key_a`` are no label bits
but what synergy is made of (:mod:`parse_dfl.data.built_in`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from parse_dfl.analysis.stacked_mlp import StackedMLP, stack, standardised, train

Array = NDArray[np.float32]
Labels = NDArray[np.int64]

EVALUATIONS = 20
"""How often, evenly over the steps, a probe is tried on the tuning part."""
LABEL_BITS = ("redundant", "unique", "synergy")


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


@dataclass(frozen=True, kw_only=True)
class Ranges:
    """The ranges of the fitted, the tuned and the reported samples in an array over all of them."""

    fit: slice
    tune: slice
    report: slice


@dataclass(frozen=True, kw_only=True)
class ProbeResults:
    """The accuracies of probes on the reported samples.

    Attributes:
        accuracy: representation → target → share read right.
        scores: representation → class scores of the first target, shape (samples, classes), of
            the step whose cross-entropy on the tuning part is least.
        chance: target → the share of its commonest value.
        candidate: the settings that were best.
    """

    accuracy: Mapping[str, Mapping[str, float]]
    scores: Mapping[str, Array]
    chance: Mapping[str, float]
    candidate: Candidate


def read(
    representations: Mapping[str, Array],
    targets: Mapping[str, Labels],
    ranges: Ranges,
    *,
    steps: int,
    seed: int = 0,
) -> ProbeResults:
    """Read every target from every representation.

    Args:
        representations: name → shape (samples, width), standardised here by the fitted part.
        targets: name → shape (samples,), whole numbers from 0.
        ranges: where the samples lie that are fitted on, tuned on, reported.
        steps: minibatch steps of each candidate.
        seed: of weights and minibatches.
    """
    stacks = list(_stacks(representations, ranges))
    task = _Task(targets, ranges, steps, seed)
    tried = [
        {name: row for stack in stacks for name, row in _try(candidate, stack, task).items()}
        for candidate in CANDIDATES
    ]
    best = int(np.argmax([np.mean([row.tuned for row in rows.values()]) for rows in tried]))
    return ProbeResults(
        accuracy={
            name: dict(zip(targets, tried[best][name].reported.tolist(), strict=True))
            for name in representations
        },
        scores={name: tried[best][name].scores for name in representations},
        chance={name: _commonest(values[ranges.report]) for name, values in targets.items()},
        candidate=CANDIDATES[best],
    )


def _commonest(values: Labels) -> float:
    return float(np.bincount(values).max() / len(values))


@dataclass(frozen=True)
class _Stack:
    """Representations of about one width, padded with zeros to it."""

    names: tuple[str, ...]
    widths: tuple[int, ...]
    values: Tensor  # shape=(N, samples, D)


def _stacks(representations: Mapping[str, Array], ranges: Ranges) -> Iterator[_Stack]:
    by_width: dict[int, list[str]] = {}
    for name, values in representations.items():
        by_width.setdefault(max(8, 1 << (values.shape[1] - 1).bit_length()), []).append(name)
    for names in by_width.values():
        arrays = [standardised(representations[name], ranges.fit) for name in names]
        yield _Stack(tuple(names), tuple(array.shape[1] for array in arrays), stack(arrays))


class _Task:
    """The targets, where to read them, and for how long."""

    def __init__(
        self, targets: Mapping[str, Labels], ranges: Ranges, steps: int, seed: int
    ) -> None:
        self.labels = [torch.from_numpy(value) for value in targets.values()]
        self.classes = [int(value.max()) + 1 for value in self.labels]
        self.ranges, self.steps, self.seed = ranges, steps, seed

    def loss(self, outputs: Tensor, positions: Tensor) -> Tensor:
        """Return the sum over networks and targets of the mean cross-entropy on fitted samples."""
        losses = [
            functional.cross_entropy(
                scores.flatten(0, 1), label[positions].repeat(len(outputs)), reduction="sum"
            )
            for scores, label in self._by_target(outputs, self.ranges.fit)
        ]
        return torch.stack(losses).sum() / len(positions)

    def accuracy(self, outputs: Tensor, part: slice) -> Tensor:
        """Return the share of ``part`` read right, shape (N, targets)."""
        right = [
            (scores.argmax(-1) == label).double().mean(1)
            for scores, label in self._by_target(outputs, part)
        ]
        return torch.stack(right, 1)

    def _by_target(self, outputs: Tensor, part: slice) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield each target's scores and the labels of a part."""
        labels = [label[part] for label in self.labels]
        yield from zip(outputs.split(self.classes, -1), labels, strict=True)


@dataclass(frozen=True)
class _Row:
    """A probe's accuracies, shape (targets,), at each target's best step on the tuning part."""

    tuned: NDArray[np.float64]
    reported: NDArray[np.float64]
    scores: Array


class _Best:
    """The best results on the tuning part so far, probe by probe and target by target."""

    def __init__(self, probes: int, task: _Task) -> None:
        self._task = task
        self.tuned = torch.full((probes, len(task.labels)), -1.0, dtype=torch.float64)
        self.reported = torch.zeros_like(self.tuned)
        self._least = torch.full((probes,), torch.inf)
        report = len(task.labels[0][task.ranges.report])
        self.scores = torch.zeros(probes, report, task.classes[0])

    def update(self, network: StackedMLP, values: Tensor) -> None:
        """Try the probes, and keep the report of those that have become better."""
        ranges, first = self._task.ranges, self._task.classes[0]
        tuning, reporting = network(values[:, ranges.tune]), network(values[:, ranges.report])
        tuned = self._task.accuracy(tuning, ranges.tune)
        reported = self._task.accuracy(reporting, ranges.report)
        better = tuned > self.tuned
        self.tuned = torch.where(better, tuned, self.tuned)
        self.reported = torch.where(better, reported, self.reported)
        label = self._task.labels[0][ranges.tune].expand(len(tuned), -1)
        loss = functional.cross_entropy(
            tuning[..., :first].transpose(1, 2), label, reduction="none"
        ).mean(1)
        surer = loss < self._least
        self._least = torch.where(surer, loss, self._least)
        self.scores[surer] = reporting[surer][..., :first]


def _try(candidate: Candidate, stack: _Stack, task: _Task) -> dict[str, _Row]:
    generator = torch.Generator().manual_seed(task.seed)
    network = StackedMLP(stack.widths, candidate.hidden, sum(task.classes), generator)
    fitted = stack.values[:, task.ranges.fit]
    best = _Best(len(stack.names), task)
    train(
        network,
        lambda positions: task.loss(network(fitted[:, positions]), positions),
        lambda: best.update(network, stack.values),
        samples=fitted.shape[1],
        steps=task.steps,
        evaluations=EVALUATIONS,
        lr=candidate.lr,
        weight_decay=candidate.weight_decay,
        generator=generator,
    )
    columns = (best.tuned.numpy(), best.reported.numpy(), best.scores.numpy())
    return {name: _Row(*row) for name, *row in zip(stack.names, *columns, strict=True)}


@dataclass(frozen=True, kw_only=True)
class Purity:
    """The purity of a slice: how well label bits, its own and others, are read from it.

    None stands where there are none.

    Attributes:
        own: the least accuracy at which one of its own label bits is read from it.
        other: the greatest of all other label bits.
        worst: the name of that one.
    """

    own: float | None
    other: float | None
    worst: str | None


def purity(representation: str, accuracy: Mapping[str, float]) -> Purity:
    """Return the purity of a slice, from the accuracy at which each factor is read from it."""
    bits = [name for name in accuracy if is_label_bit(name)]
    own_bits = [accuracy[name] for name in bits if belongs(name, representation)]
    other = {name: accuracy[name] for name in bits if not belongs(name, representation)}
    worst = max(other, key=other.__getitem__, default=None)
    return Purity(
        own=min(own_bits, default=None),
        other=None if worst is None else other[worst],
        worst=worst,
    )


def is_label_bit(factor: str) -> bool:
    """Return whether a factor is part of the label."""
    return factor.startswith(LABEL_BITS)


def belongs(factor: str, representation: str) -> bool:
    """Return whether a label bit belongs into a slice such as ``unique.a``, ``synergistic.a,b``."""
    kind, _, owner = representation.partition(".")
    name, _, modalities = factor.rstrip("0123456789").partition("_")
    owners = owner.replace("+", ",").split(",")
    match kind:
        case "redundant":
            return name == "redundant"
        case "unique":
            return name == "unique" and modalities in owners
    return name == "synergy" and modalities in ("", "".join(owners))
