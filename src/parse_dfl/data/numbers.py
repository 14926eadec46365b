"""The numbers of a modality in the narrowest type that keeps what is in them.

float32 has seven digits: of time stamps such as 1.7e9 ± 20 it keeps nothing, and a unit of 1e-40
is nothing to it.  Such modalities stay float64 until they are standardised.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from parse_dfl.agents import Kind
from parse_dfl.data.standardise import FAR, FLOAT64_POWER, mean_and_deviation, needs_float64
from parse_dfl.errors import DataError

_LAST_EXACT = 2**53
"""float64 holds all integers up to here."""


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
        places = values.reshape(len(values), -1)
        _check_integers(modality, places)
        _check_range(modality, places)
        # The kind may be declared later: entries are pooled by place or by channel.
        channels = values.reshape(-1, values.shape[-1])
        if _are_merged(values) or any(
            needs_float64(each, Kind.VECTOR) for each in (places, channels)
        ):
            return np.ascontiguousarray(values, dtype=np.float64)
    return np.ascontiguousarray(values, dtype=np.float32)


def _are_merged(values: NDArray[Any]) -> bool:
    """Return whether they are integers, perhaps codes, some of which float32 would make equal."""
    if values.dtype.kind not in "iu":
        return False
    exact = values.astype(np.float64)
    return bool((exact != exact.astype(np.float32)).any())


def _check_integers(modality: str, places: NDArray[Any]) -> None:
    """Refuse integers, shape (samples, places), whose differences float64 would round away."""
    if places.dtype.kind not in "iu" or places.dtype.itemsize < 8:
        return
    least = places.min(axis=0)
    size = np.maximum(np.abs(least.astype(np.float64)), places.max(axis=0).astype(np.float64))
    if not (size > _LAST_EXACT).any():
        return
    apart = places.view(np.uint64) - least.view(np.uint64)  # modulo 2**64, so never too large
    _, scale = mean_and_deviation(apart, Kind.VECTOR)
    step = np.spacing(size)
    lost = (size > _LAST_EXACT) & (scale > 0) & (scale < FAR * step)
    if lost.any():
        place = int(lost.argmax())
        raise DataError(
            f"modality {modality!r} has integers near {size[place]:.3g} with a standard deviation "
            f"of {scale[place]:.3g} (feature {place}), of which float64 keeps multiples of "
            f"{step[place]:.0f}; take an offset off first, such as values - values.min(axis=0)"
        )


def _check_range(modality: str, places: NDArray[Any]) -> None:
    """Refuse features, shape (samples, places), whose squares would leave float64's range."""
    mean, scale = mean_and_deviation(places, Kind.VECTOR)
    most = 2.0**FLOAT64_POWER
    usable = (np.abs(mean) <= most) & (scale <= most) & ((scale == 0) | (scale >= 1 / most))
    if not usable.all():
        place = int(usable.argmin())
        raise DataError(
            f"modality {modality!r} has mean {mean[place]:.3g} and standard deviation "
            f"{scale[place]:.3g} (feature {place}); only sizes from {1 / most:.0e} to {most:.0e} "
            "can be standardised: change its unit or take its logarithm"
        )
