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

LIMIT = 10.0
"""Standardised values are clipped here: a feature that hardly varies in an agent's few samples may
take any value at test time."""

ROUNDING = 4.0
"""A feature is constant if its scale is at most so many roundings of its values.  Its scale is
then infinite, so that it reads 0 everywhere, whatever its unit."""

FAR = 2.0**10
"""A feature whose mean is more than so many scales away from zero is far: float32 would keep too
little of it."""

AGREED_ROUNDING = 1e-6
"""Of a mean: what is left of a scale when a mean square is taken less a squared mean."""

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
    """Sums over an agent's entries: how many, of x, of x²; they add up over agents.

    ``total`` and ``square`` have a sample's number of axes, as a :class:`Standardiser`'s mean.
    """

    count: float
    total: NDArray[np.float64]
    square: NDArray[np.float64]

    @classmethod
    def of(cls, values: NDArray[Any], kind: Kind) -> Moments:
        """The moments of one agent's ``values``, shape (samples, ...)."""
        axes, exact = _POOLED_AXES[kind], values.astype(np.float64)
        total = exact.sum(axis=axes, keepdims=True)[0]
        square = np.square(exact).sum(axis=axes, keepdims=True)[0]
        return cls(exact.size / total.size, total, square)

    def row(self) -> NDArray[np.float64]:
        """All numbers in one row, as they travel, shape=(1 + 2F,)."""
        return np.concatenate([[self.count], self.total.ravel(), self.square.ravel()])

    def standardiser(self, row: NDArray[np.float64]) -> Standardiser:
        """Of moments of this shape that came as a ``row``, whose common factor does not matter."""
        total, square = (part.reshape(self.total.shape) for part in np.split(row[1:] / row[0], 2))
        scale = np.sqrt(np.maximum(square - total**2, 0.0))
        return _of(total, scale, AGREED_ROUNDING)


def _of(mean: NDArray[np.float64], scale: NDArray[np.float64], rounding: float) -> Standardiser:
    """With an infinite scale for what is constant up to ``rounding``, feature by feature."""
    return Standardiser(mean, np.where(scale > rounding * np.abs(mean), scale, np.inf))
