"""Cross-modal predictability: how well one modality's slice predicts the other's.

No label is used.  The measure is the held-out R² = 1 - Σ‖y - ŷ‖² / Σ‖y - ȳ‖² over samples and
features, ȳ the fitted mean: 1 is a perfect prediction, 0 no better than the mean (below 0:
worse).  ``ridge`` is linear, ``mlp`` a network of two hidden layers; the strength of the first
and the stopping step of the second are chosen on the tuning part.

``beyond_label`` is ridge's R² after each class's fitted mean is taken off both slices: what they
share beyond the label (negative where the rest of the one says nothing about the rest of the
other).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from parse_dfl.agents import Kind
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
from parse_dfl.data.standardise import ROUNDING, mean_and_deviation

Array = NDArray[np.float32]
Wide = NDArray[np.float64]

STRENGTHS = tuple(10.0**power for power in range(-3, 5))
"""Of ridge regression on standardised features, times the number of fitted samples / 1000."""
HIDDEN = 64
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 0.1
CHECKS = 20


@dataclass(frozen=True, kw_only=True)
class Predictability:
    """R² of predicting one slice from another; see the module."""

    ridge: float
    mlp: float
    beyond_label: float


def predictability(
    pairs: Mapping[str, tuple[Array, Array]],
    label: NDArray[np.int64],
    places: Places,
    *,
    steps: int,
    seed: int = 0,
) -> dict[str, Predictability]:
    """How well the first of each pair predicts the second.

    Args:
        pairs: name → (x, y), each of shape (samples, width).
        label: shape (samples,), for ``beyond_label`` alone.
        places: where the samples lie that are fitted on, tuned on, reported.
        steps: of the network's training.
        seed: of weights and minibatches.
    """
    inputs = {name: standardised(x, places.fit) for name, (x, _) in pairs.items()}
    outputs = {name: _centred(y, places) for name, (_, y) in pairs.items()}
    by_network = _mlp(inputs, outputs, places, steps, seed)
    found = {}
    for name, x in inputs.items():
        y = outputs[name]
        within = [_without_classes(values, label, places) for values in (x, y)]
        found[name] = Predictability(
            ridge=_ridge(x.astype(np.float64), y.astype(np.float64), places),
            mlp=by_network[name],
            beyond_label=_ridge(within[0], within[1], places),
        )
    return found


def _centred(values: Array, places: Places) -> Array:
    """Mean 0 over the fitted samples, and overall scale 1; a slice without variance is 0."""
    mean, deviation = mean_and_deviation(values[places.fit], Kind.VECTOR)
    scale = float(np.sqrt(np.square(deviation).mean()))
    rounding = ROUNDING * float(np.finfo(values.dtype).eps) * float(np.abs(mean).max())
    centred = (values - mean) / scale if scale > rounding else np.zeros_like(values)
    return np.asarray(centred, dtype=np.float32)


def _without_classes(values: Array, label: NDArray[np.int64], places: Places) -> Wide:
    """``values`` less their class's mean over the fitted samples (the overall one, 0, where a
    class was not fitted)."""
    own = label[places.fit]
    counts = np.maximum(np.bincount(own, minlength=int(label.max()) + 1), 1)
    sums = np.zeros((len(counts), values.shape[1]))
    np.add.at(sums, own, values[places.fit])
    return np.asarray(values - (sums / counts[:, None])[label])


def _ridge(x: Wide, y: Wide, places: Places) -> float:
    """The R² of ridge regression, its strength the best on the tuning part."""
    fitted = x[places.fit]
    gram, cross = fitted.T @ fitted, fitted.T @ y[places.fit]
    values, vectors = np.linalg.eigh(gram)
    turned = vectors.T @ cross
    weights = [
        vectors @ (turned / (np.maximum(values, 0) + strength * len(fitted) / 1000)[:, None])
        for strength in STRENGTHS
    ]
    tuned = [_r2(y[places.tune], x[places.tune] @ weight) for weight in weights]
    return _r2(y[places.report], x[places.report] @ weights[int(np.argmax(tuned))])


def _r2(truth: Wide, predicted: Wide) -> float:
    spread = float((truth**2).sum())
    return 1 - float(((truth - predicted) ** 2).sum()) / spread if spread > 0 else 0.0


def _mlp(
    inputs: Mapping[str, Array],
    outputs: Mapping[str, Array],
    places: Places,
    steps: int,
    seed: int,
) -> dict[str, float]:
    """The R² of networks, all pairs at once, each at its best step on the tuning part."""
    generator = torch.Generator().manual_seed(seed)
    x, y = stacked(list(inputs.values())), stacked(list(outputs.values()))
    widths = [values.shape[1] for values in inputs.values()]
    parameters = network(widths, HIDDEN, y.shape[2], generator)
    descent = Descent(parameters, lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, steps=steps)
    due = checkpoints(steps, CHECKS)
    tuned = torch.zeros(len(widths))  # the mean is what a network that learns nothing is left with
    reported = torch.zeros(len(widths))
    fitted, aims = x[:, places.fit], y[:, places.fit]
    for step, chosen in enumerate(batches(fitted.shape[1], steps, generator), start=1):
        squares = _squares(aims[:, chosen], forward(parameters, fitted[:, chosen]))
        descent.step(squares.sum() / len(chosen))
        if step in due:
            with torch.no_grad():
                now, then = (
                    _r2_rows(y[:, part], forward(parameters, x[:, part]))
                    for part in (places.tune, places.report)
                )
            better = now > tuned
            tuned = torch.where(better, now, tuned)
            reported = torch.where(better, then, reported)
    return dict(zip(inputs, reported.tolist(), strict=True))


def _squares(truth: Tensor, predicted: Tensor) -> Tensor:
    """Sum of squares, shape (N,); padding is 0 in the truth, and learnt to be 0."""
    return (truth - predicted).square().sum((1, 2))


def _r2_rows(truth: Tensor, predicted: Tensor) -> Tensor:
    spread = truth.square().sum((1, 2))
    return torch.where(spread > 0, 1 - _squares(truth, predicted) / spread.clamp_min(1e-12), spread)
