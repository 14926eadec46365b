"""Cross-fitted, calibrated class probabilities of one and of both modalities.

Class scores turned into probabilities that mean what they say.

One weight per classifier and one bias per class are fitted to the held-out scores by maximum
likelihood: log p(y|x) = Σ_k w_k z_k(x, y) + b(y) - log Σ_y' exp(…).  With one classifier this is
temperature scaling; with several it also weighs them.  At the optimum

- the mean probability of each class is its frequency (derivative by b), and
- the mean entropy of p(·|x) is the held-out cross-entropy (derivatives by w and b),

so that informations computed from these probabilities are held-out ones: overfitting cannot
inflate them.

Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", ICML 2017,
https://arxiv.org/abs/1706.04599.

Class scores of every sample from a network that has not seen it (cross-fitting).

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
from scipy.optimize import minimize
from scipy.special import log_softmax
from torch import Tensor
from torch.nn import functional

from parse_dfl.analysis.pid.decomposition import Table, entropy
from parse_dfl.analysis.pid.features import Features
from parse_dfl.data.splits import OverlappingWindows

Indices = NDArray[np.int64]

FOLDS = 5
STOP_SHARE = 0.15
"""Share of the training samples kept for early stopping."""


@dataclass(frozen=True, kw_only=True)
class Fold:
    """Three disjoint sets of sample indices; the ``judged`` of all folds cover every sample."""

    train: Indices
    stop: Indices
    judged: Indices


def make_folds(
    label: Indices,
    groups: Indices | None,
    seed: int,
    windows: OverlappingWindows | None = None,
) -> list[Fold]:
    """Folds in which every class has its share; no group is both trained on and judged.

    Nor does a group stop the training that it takes part in, where groups are small enough.
    Overlapping ``windows`` are left out where they share time steps with those that are judged.
    """
    rng = np.random.default_rng(seed)
    part = _stratified(label, rng) if groups is None else _by_group(label, groups, seed)
    folds = []
    for number in range(int(part.max()) + 1):
        judged = (part == number).nonzero()[0]
        apart = part != number
        if windows is not None:
            apart &= ~windows.overlap(judged)
        rest = rng.permutation(apart.nonzero()[0])
        stops = _stops(rest, groups, label)
        folds.append(Fold(train=rest[~stops], stop=rest[stops], judged=judged))
    return folds


def _stops(rest: Indices, groups: Indices | None, label: Indices) -> NDArray[np.bool_]:
    """Which of the samples ``rest``, in random order, stop the training, shape (len(rest),).

    Whole groups where there are several and the others still have every class: a network that
    is stopped by those it learns from is stopped too late.
    """
    count = max(1, round(STOP_SHARE * len(rest)))
    first = np.arange(len(rest)) < count
    if groups is None:
        return first
    own = groups[rest]
    order = own[np.sort(np.unique(own, return_index=True)[1])]
    whole = np.zeros(len(rest), dtype=np.bool_)
    classes = len(np.unique(label[rest]))
    for group in order[:-1]:
        wider = whole | (own == group)
        if wider.sum() <= 2 * count and len(np.unique(label[rest[~wider]])) == classes:
            whole = wider
        if whole.sum() >= count:
            break
    return whole if whole.any() else first


def _stratified(label: Indices, rng: np.random.Generator) -> Indices:
    """A part 0 … FOLDS-1 for each sample: dealt in turn, class by class, in random order."""
    order = np.lexsort((rng.random(len(label)), label))
    part = np.empty(len(label), dtype=np.int64)
    part[order] = np.arange(len(label)) % FOLDS
    return part


def _by_group(label: Indices, groups: Indices, seed: int) -> Indices:
    from sklearn.model_selection import StratifiedGroupKFold

    count = min(FOLDS, len(np.unique(groups)))
    part = np.empty(len(label), dtype=np.int64)
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    for number, (_, judged) in enumerate(splitter.split(label[:, None], label, groups)):
        part[judged] = number
    return part


def calibrated(scores: Sequence[Table], label: NDArray[np.int64]) -> Table:
    """log p(y|x) in nats, shape (samples, classes), from classifiers' held-out scores.

    Args:
        scores: per classifier, shape (samples, classes).
        label: shape (samples,), 0 … classes-1, each class at least once.
    """
    stacked = np.stack([log_softmax(each, axis=1) for each in scores])
    count, samples, classes = stacked.shape
    rows = np.arange(samples)

    def loss(parameters: Table) -> tuple[float, Table]:
        weights, bias = parameters[:count], parameters[count:]
        log_p = log_softmax(np.tensordot(weights, stacked, axes=1) + bias, axis=1)
        excess = np.exp(log_p)
        excess[rows, label] -= 1
        slope = [np.vdot(each, excess) for each in stacked]
        gradient = np.concatenate([slope, excess.sum(axis=0)]) / samples
        return float(-log_p[rows, label].mean()), gradient

    start = np.concatenate([np.full(count, 1 / count), np.zeros(classes)])
    fitted = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 500})
    weights, bias = fitted.x[:count], fitted.x[count:]
    return np.asarray(log_softmax(np.tensordot(weights, stacked, axes=1) + bias, axis=1))


@dataclass(frozen=True, kw_only=True)
class Readings:
    """Natural logarithms of p(y|x1), p(y|x2) and p(y|x1,x2), each shape (samples, classes)."""

    first: Table
    second: Table
    joint: Table
    label: NDArray[np.int64]

    @property
    def prior(self) -> Table:
        """p(y), shape (classes,)."""
        return np.bincount(self.label) / len(self.label)

    def pointwise(self, log_p: Table) -> Table:
        """log2 p(y|x)/p(y) of every sample's own label, shape (samples,)."""
        nats = log_p[np.arange(len(self.label)), self.label] - np.log(self.prior)[self.label]
        return np.asarray(nats / np.log(2))

    def information(self, log_p: Table) -> float:
        """I(X;Y) in bits: what the held-out cross-entropy leaves of the label's entropy."""
        return entropy(self.prior) + float((np.exp(log_p) * log_p).sum(axis=1).mean() / np.log(2))


def read(
    first: Features,
    second: Features,
    label: NDArray[np.int64],
    *,
    groups: NDArray[np.int64] | None,
    seed: int,
    windows: OverlappingWindows | None = None,
) -> Readings:
    """Train, cross-fit and calibrate the three classifiers.

    The joint reading also weighs in the two single ones, so that it never tells less than a
    vote between them would.
    """
    folds = make_folds(label, groups, seed, windows)
    from_first, from_second, from_both = (
        cross_scores(inputs, label, folds, seed)
        for inputs in (first, second, np.concatenate([first, second], axis=1))
    )
    return Readings(
        first=calibrated([from_first], label),
        second=calibrated([from_second], label),
        joint=calibrated([from_both, from_first, from_second], label),
        label=label,
    )


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
