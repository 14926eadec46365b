"""Standardisation: by an agent's own training samples, or by moments that agents agree on.

By its own, nobody's statistics leave an agent; but under label skew one and the same sample then
looks different to every agent, and what they average does not fit any of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parse_dfl.modalities import Kind
from parse_dfl.overlays.mixing import Mixing

LIMIT = 10.0
"""Standardised values are clipped here: a feature that hardly varies in an agent's few samples may
take any value at test time."""

ROUNDING = 4.0
"""A feature is constant if its scale is at most so many roundings of its values.  Its scale is
then infinite, so that it reads 0 everywhere, whatever its unit."""

FAR = 2.0**10
"""A feature whose mean is more than so many scales away from zero is far: float32 would keep too
little of it."""

AGREED_ROUNDING = 1e-13
"""Of a mean: what a hundred steps of merging may leave of a scale that was none."""

_POOLED_AXES = {
    Kind.VECTOR: (0,),
    Kind.SERIES: (0, 1),
    Kind.IMAGE: (0, 1, 2),
    Kind.VIDEO: (0, 1, 2, 3),
}
"""The axes of (samples, ...) that a mean is taken over: all but features or channels."""


@dataclass(frozen=True)
class Standardiser:
    """x ↦ (x − mean) / scale; both have a sample's number of axes and broadcast to its shape."""

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    def apply(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Standardised ``values`` of any type, shape (samples, ...)."""
        standard = (values.astype(np.float64) - self.mean) / self.scale
        return np.clip(standard, -LIMIT, LIMIT).astype(np.float32)


def fit(values: NDArray[Any], kind: Kind) -> Standardiser:
    """The statistics of one agent's ``values``, shape (samples, ...).

    One mean and scale per feature of a vector, per channel of a series, per channel of an image
    or video that has a channel axis, and one for all pixels of one that has not.
    """
    axes = _POOLED_AXES[kind]
    mean = values.mean(axis=axes, keepdims=True, dtype=np.float64)[0]
    scale = values.std(axis=axes, keepdims=True, dtype=np.float64)[0]
    rounding = np.finfo(values.dtype if values.dtype.kind == "f" else np.float64).eps
    return _of(mean, scale, ROUNDING * float(rounding))


def far_offset(values: NDArray[Any], kind: Kind) -> NDArray[np.float64]:
    """What to take off each feature before a cast to float32: 0, but the mean of one that is far.

    Shape as a :class:`Standardiser`'s mean.  Found over all samples of a set; every statistic is
    shifted alike, so that it changes rounding and nothing else.
    """
    axes = _POOLED_AXES[kind]
    mean = values.mean(axis=axes, keepdims=True, dtype=np.float64)[0]
    scale = values.std(axis=axes, keepdims=True, dtype=np.float64)[0]
    varies = scale > ROUNDING * np.finfo(np.float64).eps * np.abs(mean)
    return np.where(varies & (np.abs(mean) > FAR * scale), mean, 0.0)


@dataclass(frozen=True)
class Moments:
    """How many entries, their mean, and the sum of their squared deviations from it.

    Kept about the mean, since a difference of large sums would lose what varies.  ``mean`` and
    ``deviations`` have a sample's number of axes, F numbers each.
    """

    count: float
    mean: NDArray[np.float64]
    deviations: NDArray[np.float64]

    @classmethod
    def of(cls, values: NDArray[Any], kind: Kind) -> Moments:
        """Return the moments of one agent's ``values``, shape (samples, ...)."""
        axes, exact = _POOLED_AXES[kind], values.astype(np.float64)
        mean = exact.mean(axis=axes, keepdims=True)
        deviations = np.square(exact - mean).sum(axis=axes, keepdims=True)[0]
        return cls(exact.size / deviations.size, mean[0], deviations)

    def row(self) -> NDArray[np.float64]:
        """Return all numbers in one row, as they travel, shape=(1 + 2F,)."""
        return np.concatenate([[self.count], self.mean.ravel(), self.deviations.ravel()])

    def standardiser(self, row: NDArray[np.float64]) -> Standardiser:
        """Return what a ``row`` of moments of this shape standardises by."""
        mean, deviations = (part.reshape(self.mean.shape) for part in np.split(row[1:], 2))
        return _of(mean, np.sqrt(deviations / row[0]), AGREED_ROUNDING)


def merge_rows(rows: NDArray[np.float64], mixing: Mixing) -> NDArray[np.float64]:
    """Average the moments in ``rows``, shape=(n, 1 + 2F), with those of the neighbours.

    Equal to ``W @`` (count, Σ x, Σ x²) in exact arithmetic, but about the means, by the rule for
    merging parts of a sample (Chan, Golub, LeVeque, "Algorithms for Computing the Sample
    Variance", The American Statistician 37, 1983):

        n = Σ_j w_j n_j,   m = Σ_j w_j n_j m_j / n,   d = Σ_j w_j (d_j + n_j (m_j − m)²)
    """
    own = np.arange(mixing.size)
    source = np.concatenate([own, mixing.source])
    target = np.concatenate([own, mixing.target])
    weight = np.concatenate([mixing.self_weight, mixing.weight])[:, None]
    count, (mean, deviations) = rows[:, :1], np.split(rows[:, 1:], 2, axis=1)
    merged = np.zeros_like(rows)
    new_count, (new_mean, new_deviations) = merged[:, :1], np.split(merged[:, 1:], 2, axis=1)
    np.add.at(new_count, target, weight * count[source])
    # Taken about the own mean: what all have in common, as an offset, is never rounded.
    share = weight * count[source] / new_count[target]
    np.add.at(new_mean, target, share * (mean[source] - mean[target]))
    new_mean += mean
    apart = np.square(mean[source] - new_mean[target])
    np.add.at(new_deviations, target, weight * (deviations[source] + count[source] * apart))
    return merged


def _of(mean: NDArray[np.float64], scale: NDArray[np.float64], rounding: float) -> Standardiser:
    """With an infinite scale for what is constant up to ``rounding``, feature by feature."""
    return Standardiser(mean, np.where(scale > rounding * np.abs(mean), scale, np.inf))
