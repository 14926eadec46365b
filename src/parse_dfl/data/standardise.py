"""Standardisation by an agent's own training samples: nobody's statistics leave the agent."""

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
    overall = float(np.sqrt(np.mean(scale**2)))
    scale = np.maximum(scale, LEAST_SCALE * overall) if overall > 0 else np.ones_like(scale)
    return Standardiser(mean.astype(np.float32), scale.astype(np.float32))
