"""Relate two slices: cross-modal predictability, and dependence inside a modality.

**Predictability**: how well one modality's slice predicts the other's.  No label is used.  The
measure is the held-out R² = 1 - Σ‖y - ŷ‖² / Σ‖y - ȳ‖² over samples and features, ȳ the fitted
mean: 1 is a perfect prediction, 0 no better than the mean (below 0: worse).

**Dependence** of two slices of one modality: the Hilbert-Schmidt independence criterion of
Gaussian kernels, normalised to 0…1 (centred kernel alignment, Cortes, Mohri, Rostamizadeh, JMLR
2012; Gretton et al., ALT 2005).  The width of a kernel is the median distance.  Its value for
independent slices is not 0 but falls with the samples, so permutations of the one slice's samples
say what chance brings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from parse_dfl.agents import Kind
from parse_dfl.analysis.probing.probes import Ranges
from parse_dfl.analysis.stacked_mlp import StackedMLP, stack, standardised, train
from parse_dfl.data.standardise import ROUNDING, mean_and_deviation

Array = NDArray[np.float32]
Wide = NDArray[np.float64]
Labels = NDArray[np.int64]

STRENGTHS = tuple(10.0**power for power in range(-3, 5))
"""Of ridge regression on standardised features, times the number of fitted samples / 1000."""
HIDDEN = 64
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 0.1
EVALUATIONS = 20

MOST_SAMPLES = 500
PERMUTATIONS = 100


@dataclass(frozen=True, kw_only=True)
class Predictability:
    """R² of predicting one slice from another.

    Attributes:
        ridge: by a linear map, its strength chosen on the tuning part.
        mlp: by a network of two hidden layers, its stopping step chosen on the tuning part.
        beyond_label: ridge's after each class's fitted mean is taken off both slices: what they
            share beyond the label (negative where the rest of the one says nothing about the
            rest of the other).
    """

    ridge: float
    mlp: float
    beyond_label: float


def predictability(
    pairs: Mapping[str, tuple[Array, Array]],
    label: Labels,
    ranges: Ranges,
    *,
    steps: int,
    seed: int = 0,
) -> dict[str, Predictability]:
    """Measure how well the first of each pair predicts the second.

    Args:
        pairs: name → (x, y), each of shape (samples, width).
        label: shape (samples,), for ``beyond_label`` alone.
        ranges: where the samples lie that are fitted on, tuned on, reported.
        steps: of the network's training.
        seed: of weights and minibatches.
    """
    inputs = {name: standardised(x, ranges.fit) for name, (x, _) in pairs.items()}
    outputs = {name: _centred(y, ranges) for name, (_, y) in pairs.items()}
    mlp = _mlp(inputs, outputs, ranges, steps, seed)
    result = {}
    for name, x in inputs.items():
        y = outputs[name]
        within = [_without_class_means(values, label, ranges) for values in (x, y)]
        result[name] = Predictability(
            ridge=_ridge(x.astype(np.float64), y.astype(np.float64), ranges),
            mlp=mlp[name],
            beyond_label=_ridge(within[0], within[1], ranges),
        )
    return result


def _centred(values: Array, ranges: Ranges) -> Array:
    """Return ``values`` of mean 0 over fitted samples and overall scale 1; 0 without variance."""
    mean, deviation = mean_and_deviation(values[ranges.fit], Kind.VECTOR)
    scale = float(np.sqrt(np.square(deviation).mean()))
    rounding = ROUNDING * float(np.finfo(values.dtype).eps) * float(np.abs(mean).max())
    centred = (values - mean) / scale if scale > rounding else np.zeros_like(values)
    return np.asarray(centred, dtype=np.float32)


def _without_class_means(values: Array, label: Labels, ranges: Ranges) -> Wide:
    """Return ``values`` less their class's mean over the fitted samples.

    The overall mean, 0, is taken where a class was not fitted.
    """
    fitted = label[ranges.fit]
    counts = np.maximum(np.bincount(fitted, minlength=int(label.max()) + 1), 1)
    sums = np.zeros((len(counts), values.shape[1]))
    np.add.at(sums, fitted, values[ranges.fit])
    return np.asarray(values - (sums / counts[:, None])[label])


def _ridge(x: Wide, y: Wide, ranges: Ranges) -> float:
    """Return the R² of ridge regression, its strength the best on the tuning part."""
    fitted = x[ranges.fit]
    gram, cross = fitted.T @ fitted, fitted.T @ y[ranges.fit]
    values, vectors = np.linalg.eigh(gram)
    turned = vectors.T @ cross
    weights = [
        vectors @ (turned / (np.maximum(values, 0) + strength * len(fitted) / 1000)[:, None])
        for strength in STRENGTHS
    ]
    tuned = [_r2(y[ranges.tune], x[ranges.tune] @ weight) for weight in weights]
    return _r2(y[ranges.report], x[ranges.report] @ weights[int(np.argmax(tuned))])


def _r2(truth: Wide, predicted: Wide) -> float:
    spread = float((truth**2).sum())
    return 1 - float(((truth - predicted) ** 2).sum()) / spread if spread > 0 else 0.0


def _mlp(
    inputs: Mapping[str, Array],
    outputs: Mapping[str, Array],
    ranges: Ranges,
    steps: int,
    seed: int,
) -> dict[str, float]:
    """Return the R² of networks, all pairs at once, each at its best step on the tuning part."""
    generator = torch.Generator().manual_seed(seed)
    x, y = stack(list(inputs.values())), stack(list(outputs.values()))
    widths = [values.shape[1] for values in inputs.values()]
    network = StackedMLP(widths, HIDDEN, y.shape[2], generator)
    tuned = torch.zeros(len(widths))  # the mean is what a network that learns nothing is left with
    reported = torch.zeros(len(widths))
    fitted, aims = x[:, ranges.fit], y[:, ranges.fit]

    def loss(positions: Tensor) -> Tensor:
        squares = _squares(aims[:, positions], network(fitted[:, positions]))
        return squares.sum() / len(positions)

    def evaluate() -> None:
        now, then = (
            _r2_rows(y[:, part], network(x[:, part])) for part in (ranges.tune, ranges.report)
        )
        better = now > tuned
        tuned[better], reported[better] = now[better], then[better]

    train(
        network,
        loss,
        evaluate,
        samples=fitted.shape[1],
        steps=steps,
        evaluations=EVALUATIONS,
        lr=LEARNING_RATE,
        weight_decay=WEIGHT_DECAY,
        generator=generator,
    )
    return dict(zip(inputs, reported.tolist(), strict=True))


def _squares(truth: Tensor, predicted: Tensor) -> Tensor:
    """Return sums of squares, shape (N,); padding is 0 in the truth, and learnt to be 0."""
    return (truth - predicted).square().sum((1, 2))


def _r2_rows(truth: Tensor, predicted: Tensor) -> Tensor:
    spread = truth.square().sum((1, 2))
    return torch.where(spread > 0, 1 - _squares(truth, predicted) / spread.clamp_min(1e-12), spread)


@dataclass(frozen=True, kw_only=True)
class Dependence:
    """The dependence between two slices.

    Attributes:
        alignment: of their kernels, 0 to 1.
        chance: its 95th percentile over permutations: above it the slices are dependent.
        by_label: its mean over permutations within classes: what remains if the slices have
            nothing in common but the label.
    """

    alignment: float
    chance: float
    by_label: float


def dependence(first: Array, second: Array, label: Labels, *, seed: int = 0) -> Dependence:
    """Measure two slices of the same samples, each of shape (samples, width).

    At most 500 samples are looked at, a seeded draw.
    """
    rng = np.random.default_rng(seed)
    drawn = rng.permutation(len(label))[:MOST_SAMPLES]
    classes = label[drawn]
    one, other = _kernel(first[drawn]), _kernel(second[drawn])
    norm = float(np.linalg.norm(one) * np.linalg.norm(other))
    if norm <= 0:
        return Dependence(alignment=0.0, chance=0.0, by_label=0.0)

    def alignment(order: NDArray[np.int64]) -> float:
        return float(np.vdot(one, other[np.ix_(order, order)])) / norm

    freely = [alignment(rng.permutation(len(drawn))) for _ in range(PERMUTATIONS)]
    within = [alignment(_permutation_within(classes, rng)) for _ in range(PERMUTATIONS)]
    return Dependence(
        alignment=alignment(np.arange(len(drawn))),
        chance=float(np.percentile(freely, 95)),
        by_label=float(np.mean(within)),
    )


def _kernel(values: Array) -> Wide:
    """Return the centred Gaussian kernel, shape (samples, samples)."""
    wide = values.astype(np.float64)
    norms = (wide**2).sum(axis=1)
    squares = np.maximum(norms[:, None] + norms[None] - 2 * wide @ wide.T, 0)
    width = float(np.median(squares[np.triu_indices(len(wide), 1)]))
    kernel = np.exp(-squares / (width if width > 0 else 1.0))
    centred = kernel - kernel.mean(axis=0)
    return np.asarray(centred - centred.mean(axis=1, keepdims=True))


def _permutation_within(classes: Labels, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return a random order of the samples in which each position keeps its class."""
    order = np.empty(len(classes), dtype=np.int64)
    by_class = np.argsort(classes, kind="stable")
    order[by_class] = np.lexsort((rng.random(len(classes)), classes))
    return order
