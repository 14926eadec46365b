"""Estimate cross-fitted, calibrated class probabilities of one modality, the other and both.

**Cross-fitting**: class scores of every sample come from a network that has not seen it.  The
networks of all folds are trained at once, and each is stopped where its own stopping set says.

**Calibration**: one weight per classifier and one bias per class are fitted to the held-out
scores by maximum likelihood: log p(y|x) = Σ_k w_k z_k(x, y) + b(y) - log Σ_y' exp(…).  With one
classifier this is temperature scaling; with several it also weighs them.  At the optimum

- the mean probability of each class is its frequency (derivative by b), and
- the mean entropy of p(·|x) is the held-out cross-entropy (derivatives by w and b),

so that informations computed from these probabilities are held-out ones: overfitting cannot
inflate them.

Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", ICML 2017,
https://arxiv.org/abs/1706.04599.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax
from torch import Tensor
from torch.nn import functional

from parse_dfl.analysis.pid.decomposition import Codes, Table, entropy
from parse_dfl.analysis.stacked_mlp import BATCH_SIZE, AdamW, StackedMLP, forward, standardised
from parse_dfl.data.splits import OverlappingWindows

Features = NDArray[np.float32]  # shape=(samples, width)
Indices = NDArray[np.int64]

WIDEST = 512
"""Wider samples are reduced to their first principal components."""
COMPONENTS = 128

FOLDS = 5
STOP_SHARE = 0.15
"""Share of the training samples kept for early stopping."""

HIDDEN = 64
DROPOUT = 0.1
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 1e-2
EPOCHS = 120
PATIENCE = 12
"""Epochs without progress on the stopping set after which a fold's network is done."""
PROGRESS_NATS = 1e-3
"""What counts as progress; networks that err nowhere gain less for ever."""


@dataclass(frozen=True, kw_only=True)
class ClassProbabilities:
    """Natural logarithms of p(y|x1), p(y|x2) and p(y|x1,x2), each shape (samples, classes)."""

    first: Table
    second: Table
    joint: Table
    label: Codes

    @classmethod
    def calibrate(
        cls, first: Table, second: Table, joint: Table, label: Codes
    ) -> ClassProbabilities:
        """Calibrate three classifiers' held-out scores, each shape (samples, classes).

        The joint probabilities also weigh in the two single classifiers, so that they never tell
        less than a vote between them would.
        """
        return cls(
            first=calibrated([first], label),
            second=calibrated([second], label),
            joint=calibrated([joint, first, second], label),
            label=label,
        )

    @classmethod
    def fit(
        cls,
        first: Features,
        second: Features,
        label: Codes,
        *,
        groups: Codes | None,
        seed: int,
        windows: OverlappingWindows | None = None,
    ) -> ClassProbabilities:
        """Train, cross-fit and calibrate the three classifiers; see :func:`make_folds`."""
        folds = make_folds(label, groups, seed, windows)
        both = np.concatenate([first, second], axis=1)
        return cls.calibrate(
            first=cross_scores(first, label, folds, seed),
            second=cross_scores(second, label, folds, seed),
            joint=cross_scores(both, label, folds, seed),
            label=label,
        )

    @property
    def prior(self) -> Table:
        """p(y), shape (classes,)."""
        return np.bincount(self.label) / len(self.label)

    def pointwise(self, log_p: Table) -> Table:
        """Return log2 p(y|x)/p(y) of every sample's own label, shape (samples,)."""
        nats = log_p[np.arange(len(self.label)), self.label] - np.log(self.prior)[self.label]
        return np.asarray(nats / np.log(2))

    def all_pointwise(self) -> tuple[Table, Table, Table]:
        """Return :meth:`pointwise` of the first modality, the second and both."""
        return self.pointwise(self.first), self.pointwise(self.second), self.pointwise(self.joint)

    def information(self, log_p: Table) -> float:
        """Return I(X;Y) in bits: the label's entropy less the held-out cross-entropy."""
        return entropy(self.prior) + float((np.exp(log_p) * log_p).sum(axis=1).mean() / np.log(2))


def features(values: NDArray[Any], seed: int) -> Features:
    """Return samples of any shape (samples, ...) as standardised vectors of bounded width.

    Mean 0 and standard deviation 1; what is constant up to rounding is 0.
    """
    flat = standardised(values.reshape(len(values), -1))
    if flat.shape[1] <= WIDEST:
        return flat
    components = min(COMPONENTS, len(flat) - 1)
    if not flat.any():
        return flat[:, :components]
    from sklearn.decomposition import PCA

    reduced = PCA(components, svd_solver="randomized", random_state=seed).fit_transform(flat)
    return np.asarray(reduced / reduced[:, 0].std(), dtype=np.float32)


@dataclass(frozen=True, kw_only=True)
class Fold:
    """Three disjoint sets of sample indices; the ``judged`` of all folds cover every sample."""

    train: Indices
    stop: Indices
    judged: Indices


def make_folds(
    label: Codes, groups: Codes | None, seed: int, windows: OverlappingWindows | None = None
) -> list[Fold]:
    """Return folds in which every class has its share; no group is both trained on and judged.

    Nor does a group stop the training that it takes part in, where groups are small enough.
    Overlapping ``windows`` are left out where they share time steps with those that are judged.
    """
    rng = np.random.default_rng(seed)
    fold_of = _stratified(label, rng) if groups is None else _by_group(label, groups, seed)
    folds = []
    for number in range(int(fold_of.max()) + 1):
        judged = (fold_of == number).nonzero()[0]
        apart = fold_of != number
        if windows is not None:
            apart &= ~windows.overlap(judged)
        rest = rng.permutation(apart.nonzero()[0])
        stops = _stops(rest, groups, label)
        folds.append(Fold(train=rest[~stops], stop=rest[stops], judged=judged))
    return folds


def _stratified(label: Codes, rng: np.random.Generator) -> Indices:
    """Return each sample's fold: dealt in turn, class by class, in random order."""
    order = np.lexsort((rng.random(len(label)), label))
    fold_of = np.empty(len(label), dtype=np.int64)
    fold_of[order] = np.arange(len(label)) % FOLDS
    return fold_of


def _by_group(label: Codes, groups: Codes, seed: int) -> Indices:
    from sklearn.model_selection import StratifiedGroupKFold

    count = min(FOLDS, len(np.unique(groups)))
    fold_of = np.empty(len(label), dtype=np.int64)
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    for number, (_, judged) in enumerate(splitter.split(label[:, None], label, groups)):
        fold_of[judged] = number
    return fold_of


def _stops(rest: Indices, groups: Codes | None, label: Codes) -> NDArray[np.bool_]:
    """Mark those of the samples ``rest``, in random order, that stop the training, shape (rest,).

    Whole groups where there are several and the others still have every class: a network that
    is stopped by those it learns from is stopped too late.
    """
    count = max(1, round(STOP_SHARE * len(rest)))
    first = np.arange(len(rest)) < count
    if groups is None:
        return first
    group_of = groups[rest]
    order = group_of[np.sort(np.unique(group_of, return_index=True)[1])]
    whole = np.zeros(len(rest), dtype=np.bool_)
    classes = len(np.unique(label[rest]))
    for group in order[:-1]:
        wider = whole | (group_of == group)
        if wider.sum() <= 2 * count and len(np.unique(label[rest[~wider]])) == classes:
            whole = wider
        if whole.sum() >= count:
            break
    return whole if whole.any() else first


@dataclass(frozen=True, kw_only=True)
class _FoldTask:
    """The samples of one modality, and which of them each of K networks learns and stops on."""

    inputs: Tensor  # shape=(samples, D)
    label: Tensor  # shape=(samples,)
    train: Tensor  # shape=(K, n)
    stop: Tensor  # shape=(K, m)

    @property
    def classes(self) -> int:
        return int(self.label.max()) + 1

    def losses(
        self, network: StackedMLP, indices: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """Return each network's mean cross-entropy on its ``indices`` (K, B), shape (K,)."""
        scores = network(self.inputs[indices], dropout=DROPOUT, generator=generator)
        return functional.cross_entropy(scores.mT, self.label[indices], reduction="none").mean(
            dim=1
        )


def cross_scores(inputs: Features, label: Codes, folds: Sequence[Fold], seed: int) -> Table:
    """Return unnormalised class scores of all samples, shape (samples, C), each out of fold."""
    task = _FoldTask(
        inputs=torch.from_numpy(inputs),
        label=torch.from_numpy(label),
        train=_equally_long([fold.train for fold in folds]),
        stop=_equally_long([fold.stop for fold in folds]),
    )
    parameters = _train(task, torch.Generator().manual_seed(seed))
    scores = np.empty((len(label), task.classes))
    with torch.no_grad():
        for row, fold in enumerate(folds):
            network = [parameter[row : row + 1] for parameter in parameters]
            judged = task.inputs[torch.from_numpy(fold.judged)]
            scores[fold.judged] = forward(network, judged[None])[0].double().numpy()
    return scores


def _equally_long(parts: Sequence[Indices]) -> Tensor:
    """Return the parts as one tensor, all as long as the shortest."""
    shortest = min(len(part) for part in parts)
    return torch.from_numpy(np.stack([part[:shortest] for part in parts]))


def _train(task: _FoldTask, generator: torch.Generator) -> list[Tensor]:
    """Return the parameters of each fold's network at its best epoch on the stopping set."""
    folds, samples = task.train.shape
    network = StackedMLP([task.inputs.shape[1]] * folds, HIDDEN, task.classes, generator)
    # Not fused, so that estimates stay those that were published, to the last digit.
    optimizer = AdamW(network.parameters, lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=False)
    best = [parameter.detach().clone() for parameter in network.parameters]
    least = torch.full((folds,), torch.inf)
    waited = torch.zeros(folds)
    size = min(BATCH_SIZE, samples)
    for _ in range(EPOCHS):
        order = torch.rand(folds, samples, generator=generator).argsort(dim=1)
        shuffled = task.train.gather(1, order)
        for start in range(0, samples - size + 1, size):
            batch = shuffled[:, start : start + size]
            optimizer.step(task.losses(network, batch, generator).sum())
        with torch.no_grad():
            loss = task.losses(network, task.stop)
        better = loss < least - PROGRESS_NATS
        least, waited = torch.where(better, loss, least), torch.where(better, 0, waited + 1)
        for kept, parameter in zip(best, network.parameters, strict=True):
            kept[better] = parameter.detach()[better]
        if (waited >= PATIENCE).all():
            break
    return best


def calibrated(scores: Sequence[Table], label: Codes) -> Table:
    """Return log p(y|x) in nats, shape (samples, classes), from classifiers' held-out scores.

    Args:
        scores: per classifier, shape (samples, classes).
        label: shape (samples,), 0 … classes-1, each class at least once.
    """
    stacked = np.stack([log_softmax(table, axis=1) for table in scores])
    count, samples, classes = stacked.shape
    rows = np.arange(samples)

    def log_probabilities(parameters: Table) -> Table:
        weights, bias = parameters[:count], parameters[count:]
        return np.asarray(log_softmax(np.tensordot(weights, stacked, axes=1) + bias, axis=1))

    def loss(parameters: Table) -> tuple[float, Table]:
        log_p = log_probabilities(parameters)
        excess = np.exp(log_p)
        excess[rows, label] -= 1
        slope = [np.vdot(table, excess) for table in stacked]
        gradient = np.concatenate([slope, excess.sum(axis=0)]) / samples
        return float(-log_p[rows, label].mean()), gradient

    start = np.concatenate([np.full(count, 1 / count), np.zeros(classes)])
    fitted = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 500})
    return log_probabilities(fitted.x)
