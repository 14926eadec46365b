"""Dependence between two slices of one modality: kernel alignment against permutations.

The measure is the Hilbert-Schmidt independence criterion of Gaussian kernels, normalised to 0…1
(centred kernel alignment, Cortes, Mohri, Rostamizadeh, JMLR 2012; Gretton et al., ALT 2005).  The
width of a kernel is the median distance.  Its value for independent slices is not 0 but falls
with the samples, so permutations of the one slice's samples say what chance brings:

``chance``    the 95th percentile over permutations: above it the slices are dependent
``by_label``  the mean over permutations within classes: what remains if the slices have nothing
              in common but the label
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Kernel = NDArray[np.float64]

MOST_SAMPLES = 500
PERMUTATIONS = 100


@dataclass(frozen=True, kw_only=True)
class Dependence:
    """The alignment of two slices, what chance brings, and what the label in common brings."""

    alignment: float
    chance: float
    by_label: float


def dependence(
    first: Array, second: Array, label: NDArray[np.int64], *, seed: int = 0
) -> Dependence:
    """Measure two slices of the same samples, each of shape (samples, width).

    At most 500 samples are looked at, a seeded draw.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(label))[:MOST_SAMPLES]
    own = label[chosen]
    one, other = _kernel(first[chosen]), _kernel(second[chosen])
    norm = float(np.linalg.norm(one) * np.linalg.norm(other))
    if norm <= 0:
        return Dependence(alignment=0.0, chance=0.0, by_label=0.0)

    def aligned(order: NDArray[np.int64]) -> float:
        return float(np.vdot(one, other[np.ix_(order, order)])) / norm

    freely = [aligned(rng.permutation(len(own))) for _ in range(PERMUTATIONS)]
    within = [aligned(_within_classes(own, rng)) for _ in range(PERMUTATIONS)]
    return Dependence(
        alignment=aligned(np.arange(len(own))),
        chance=float(np.percentile(freely, 95)),
        by_label=float(np.mean(within)),
    )


def _kernel(values: Array) -> Kernel:
    """The centred Gaussian kernel, shape (samples, samples)."""
    wide = values.astype(np.float64)
    norms = (wide**2).sum(axis=1)
    squares = np.maximum(norms[:, None] + norms[None] - 2 * wide @ wide.T, 0)
    width = float(np.median(squares[np.triu_indices(len(wide), 1)]))
    kernel = np.exp(-squares / (width if width > 0 else 1.0))
    centred = kernel - kernel.mean(axis=0)
    return np.asarray(centred - centred.mean(axis=1, keepdims=True))


def _within_classes(label: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """A random order of the samples in which each place keeps its class."""
    order = np.empty(len(label), dtype=np.int64)
    places = np.argsort(label, kind="stable")
    order[places] = np.lexsort((rng.random(len(label)), label))
    return order
