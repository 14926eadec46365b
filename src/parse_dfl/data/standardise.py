"""Store numbers in the narrowest type that loses nothing, and standardise them.

float32 has seven digits: of time stamps such as 1.7e9 ± 20 it keeps nothing, and a unit of 1e-40
is nothing to it.  Such modalities stay float64 until they are standardised: by an agent's own
training samples, or by moments that agents agree on.  By its own, nobody's statistics leave an
agent; but under label skew one and the same sample then looks different to every agent, and what
they average does not fit any of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parse_dfl.agents import Kind
from parse_dfl.errors import DataError

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

_LAST_EXACT = 2**53
"""float64 holds all integers up to here."""

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
        """Standardise ``values`` of any type, shape (samples, ...)."""
        with np.errstate(over="ignore"):  # clipped below
            standard = (values.astype(np.float64) - self.mean) / self.scale
        return np.clip(standard, -LIMIT, LIMIT).astype(np.float32)


def fit(values: NDArray[Any], kind: Kind) -> Standardiser:
    """Return the standardiser of one agent's ``values``, shape (samples, ...).

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
    """Number of entries, their mean, and the sum of their squared deviations from it.

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
        """Return the standardiser of a ``row`` of moments of this shape."""
        mean, deviations = (part.reshape(self.mean.shape) for part in np.split(row[1:], 2))
        return _of(mean, np.sqrt(deviations / row[0]), self.rounding)


def _rounding(values: NDArray[Any]) -> float:
    """Return the share of a mean below which a scale is rounding, for the type of ``values``."""
    type_ = values.dtype if values.dtype.kind == "f" else np.float64
    return ROUNDING * float(np.finfo(type_).eps)


def _of(mean: NDArray[np.float64], scale: NDArray[np.float64], rounding: float) -> Standardiser:
    """Return a standardiser whose scale is infinite where a feature is constant up to rounding."""
    return Standardiser(mean, np.where(scale > rounding * np.abs(mean), scale, np.inf))


def as_numbers(modality: str, values: NDArray[Any]) -> NDArray[Any]:
    """Return real ``values``, shape (samples, ...), as float32, or float64 where that is needed.

    Raises:
        DataError: NaN or infinite values, and features that even float64 cannot tell apart or
            standardise.
    """
    if bad := values.size - int(np.isfinite(values).sum()):
        raise DataError(
            f"modality {modality!r} has {bad} NaN or infinite values; clean or impute them first"
        )
    # Types of 16 bits and less are exact in float32.
    if values.dtype != np.float32 and values.dtype.itemsize > 2:
        features = values.reshape(len(values), -1)
        _check_integers(modality, features)
        _check_range(modality, features)
        # The kind may be declared later: entries are pooled by feature or by channel.
        channels = values.reshape(-1, values.shape[-1])
        needed = (needs_float64(pooled, Kind.VECTOR) for pooled in (features, channels))
        if _are_merged(values) or any(needed):
            return np.ascontiguousarray(values, dtype=np.float64)
    return np.ascontiguousarray(values, dtype=np.float32)


def _are_merged(values: NDArray[Any]) -> bool:
    """Return whether they are integers, perhaps codes, some of which float32 would make equal."""
    if values.dtype.kind not in "iu":
        return False
    exact = values.astype(np.float64)
    return bool((exact != exact.astype(np.float32)).any())


def _check_integers(modality: str, features: NDArray[Any]) -> None:
    """Refuse integers, shape (samples, features), whose differences float64 would round away."""
    if features.dtype.kind not in "iu" or features.dtype.itemsize < 8:
        return
    least = features.min(axis=0)
    size = np.maximum(np.abs(least.astype(np.float64)), features.max(axis=0).astype(np.float64))
    if not (size > _LAST_EXACT).any():
        return
    apart = features.view(np.uint64) - least.view(np.uint64)  # modulo 2**64, so never too large
    _, scale = mean_and_deviation(apart, Kind.VECTOR)
    step = np.spacing(size)
    lost = (size > _LAST_EXACT) & (scale > 0) & (scale < FAR * step)
    if lost.any():
        feature = int(lost.argmax())
        raise DataError(
            f"modality {modality!r} has integers near {size[feature]:.3g} with a standard "
            f"deviation of {scale[feature]:.3g} (feature {feature}), of which float64 keeps "
            f"multiples of {step[feature]:.0f}; take an offset off first, such as "
            "values - values.min(axis=0)"
        )


def _check_range(modality: str, features: NDArray[Any]) -> None:
    """Refuse features, shape (samples, features), whose squares would leave float64's range."""
    mean, scale = mean_and_deviation(features, Kind.VECTOR)
    most = 2.0**FLOAT64_POWER
    usable = (np.abs(mean) <= most) & (scale <= most) & ((scale == 0) | (scale >= 1 / most))
    if not usable.all():
        feature = int(usable.argmin())
        raise DataError(
            f"modality {modality!r} has mean {mean[feature]:.3g} and standard deviation "
            f"{scale[feature]:.3g} (feature {feature}); only sizes from {1 / most:.0e} to "
            f"{most:.0e} can be standardised: change its unit or take its logarithm"
        )
