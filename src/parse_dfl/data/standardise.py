"""Standardisation: by an agent's own training samples, or by moments that agents agree on.

By its own, nobody's statistics leave an agent; but under label skew one and the same sample then
looks different to every agent, and what they average does not fit any of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parse_dfl.agents import Kind

LIMIT = 10.0
"""Standardised values are clipped here: a feature that hardly varies in an agent's few samples may
take any value at test time."""

ROUNDING = 4.0
"""A feature is constant if its scale is at most so many roundings of its values.  Its scale is
then infinite, so that it reads 0 everywhere, whatever its unit."""

FAR = 2.0**10
"""A feature whose mean is more than so many scales away from zero is far: float32 would keep too
little of it."""

FLOAT32_POWER, FLOAT64_POWER = 100, 400
"""Scales of 2**-power to 2**power leave room to standardise in each type."""

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
        with np.errstate(over="ignore"):  # clipped below
            standard = (values.astype(np.float64) - self.mean) / self.scale
        return np.clip(standard, -LIMIT, LIMIT).astype(np.float32)


def fit(values: NDArray[Any], kind: Kind) -> Standardiser:
    """The statistics of one agent's ``values``, shape (samples, ...).

    One mean and scale per feature of a vector, per channel of a series, per channel of an image
    or video that has a channel axis, and one for all pixels of one that has not.
    """
    return _of(*mean_and_deviation(values, kind), _rounding(values))


def mean_and_deviation(
    values: NDArray[Any], kind: Kind
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean and standard deviation of each feature, in float64, whatever its unit.

    Not finite where float64 cannot hold a difference of two values.
    """
    axes = _POOLED_AXES[kind]
    with np.errstate(over="ignore", invalid="ignore"):
        mean = values.mean(axis=axes, keepdims=True, dtype=np.float64)
        centred = values - mean
        # What a long sum rounded away, which would be all that varies in a constant.
        shift = centred.mean(axis=axes, keepdims=True)
        mean += shift
        centred -= shift  # in place: whole data sets pass through here
        reach = np.maximum(
            centred.max(axis=axes, keepdims=True), -centred.min(axis=axes, keepdims=True)
        )
        # Squares of 1e200 or 1e-200 leave float64's range; a power of two rounds nothing.
        unit = np.ldexp(1.0, np.frexp(reach)[1])
        centred /= unit
        np.square(centred, out=centred)
        deviation = unit * np.sqrt(centred.mean(axis=axes, keepdims=True))
    return mean[0], deviation[0]


def needs_float64(values: NDArray[Any], kind: Kind) -> bool:
    """Return whether float32 would lose a feature: far from zero, of huge or of tiny unit."""
    mean, scale = mean_and_deviation(values, kind)
    size = np.abs(mean)
    varies = scale > _rounding(values) * size
    lost = varies & ((size > FAR * scale) | (scale < 2.0**-FLOAT32_POWER))
    return bool((lost | (np.maximum(size, scale) > 2.0**FLOAT32_POWER)).any())


@dataclass(frozen=True)
class Moments:
    """How many entries, their mean, and the sum of their squared deviations from it.

    Kept about the mean, since a difference of large sums would lose what varies.  ``mean`` and
    ``deviations`` have a sample's number of axes, F numbers each.
    """

    count: float
    mean: NDArray[np.float64]
    deviations: NDArray[np.float64]
    rounding: float
    """The share of the mean below which a scale is rounding, of the type of the values."""

    @classmethod
    def of(cls, values: NDArray[Any], kind: Kind) -> Moments:
        """Return the moments of one agent's ``values``, shape (samples, ...)."""
        mean, deviation = mean_and_deviation(values, kind)
        count = values.size / mean.size
        rounding = max(_rounding(values), AGREED_ROUNDING)
        return cls(count, mean, count * np.square(deviation), rounding)

    def row(self) -> NDArray[np.float64]:
        """Return all numbers in one row, as they travel, shape=(1 + 2F,)."""
        return np.concatenate([[self.count], self.mean.ravel(), self.deviations.ravel()])

    def standardiser(self, row: NDArray[np.float64]) -> Standardiser:
        """Return what a ``row`` of moments of this shape standardises by."""
        mean, deviations = (part.reshape(self.mean.shape) for part in np.split(row[1:], 2))
        return _of(mean, np.sqrt(deviations / row[0]), self.rounding)


def _rounding(values: NDArray[Any]) -> float:
    """Return the share of a mean below which a scale is rounding, for the type of ``values``."""
    type_ = values.dtype if values.dtype.kind == "f" else np.float64
    return ROUNDING * float(np.finfo(type_).eps)


def _of(mean: NDArray[np.float64], scale: NDArray[np.float64], rounding: float) -> Standardiser:
    """With an infinite scale for what is constant up to ``rounding``, feature by feature."""
    return Standardiser(mean, np.where(scale > rounding * np.abs(mean), scale, np.inf))
