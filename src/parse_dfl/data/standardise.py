"""Standardisation: by an agent's own training samples, or by moments that agents agree on.

By its own, nobody's statistics leave an agent; but under label skew one and the same sample then
looks different to every agent, and what they average does not fit any of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parse_dfl.modalities import Kind

LEAST_SCALE = 0.1
"""A scale is at least this share of the root mean square of all scales.  A feature that happens
to be constant in an agent's few samples would else blow up at test time."""

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

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]

    def apply(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Standardised ``values``, shape (samples, ...)."""
        return (values - self.mean) / self.scale


def fit(values: NDArray[np.float32], kind: Kind) -> Standardiser:
    """The statistics of one agent's ``values``, shape (samples, ...).

    One mean and scale per feature of a vector, per channel of a series, per channel of an image
    or video that has a channel axis, and one for all pixels of one that has not.
    """
    axes = _POOLED_AXES[kind]
    mean = values.mean(axis=axes, keepdims=True, dtype=np.float64)[0]
    scale = values.std(axis=axes, keepdims=True, dtype=np.float64)[0]
    return _floored(mean, scale)


@dataclass(frozen=True)
class Moments:
    """Sums over an agent's entries: how many, of x, of x²; they add up over agents.

    ``total`` and ``square`` have a sample's number of axes, as a :class:`Standardiser`'s mean.
    """

    count: float
    total: NDArray[np.float64]
    square: NDArray[np.float64]

    @classmethod
    def of(cls, values: NDArray[np.float32], kind: Kind) -> Moments:
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
        return _floored(total, np.sqrt(np.maximum(square - total**2, 0.0)))


def _floored(mean: NDArray[np.float64], scale: NDArray[np.float64]) -> Standardiser:
    overall = float(np.sqrt(np.mean(scale**2)))
    scale = np.maximum(scale, LEAST_SCALE * overall) if overall > 0 else np.ones_like(scale)
    return Standardiser(mean.astype(np.float32), scale.astype(np.float32))
