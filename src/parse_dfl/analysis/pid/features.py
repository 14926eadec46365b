"""What a classifier reads of a modality: one standardised vector a sample, of bounded width."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from parse_dfl.agents import Kind
from parse_dfl.data.standardise import fit

Features = NDArray[np.float32]  # shape=(samples, width)

WIDEST = 512
"""Wider samples are reduced to their first principal components."""
COMPONENTS = 128


def features(values: NDArray[Any], seed: int) -> Features:
    """Samples of any shape (samples, ...) as vectors of mean 0 and standard deviation 1.

    What is constant up to rounding is 0.
    """
    flat = _standardised(values.reshape(len(values), -1))
    if flat.shape[1] <= WIDEST:
        return flat
    components = min(COMPONENTS, len(flat) - 1)
    if not flat.any():
        return flat[:, :components]
    from sklearn.decomposition import PCA

    reduced = PCA(components, svd_solver="randomized", random_state=seed).fit_transform(flat)
    return np.asarray(reduced / reduced[:, 0].std(), dtype=np.float32)


def _standardised(flat: NDArray[Any]) -> Features:
    own = fit(flat, Kind.VECTOR)
    return np.asarray((flat - own.mean) / own.scale, dtype=np.float32)
