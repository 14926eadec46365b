"""What a classifier reads of a modality: one standardised vector a sample, of bounded width."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float32]  # shape=(samples, width)

WIDEST = 512
"""Wider samples are reduced to their first principal components."""
COMPONENTS = 128


def features(values: NDArray[Any], seed: int) -> Features:
    """Samples of any shape (samples, ...) as vectors of mean 0 and standard deviation 1."""
    flat = _standardised(values.reshape(len(values), -1).astype(np.float64))
    if flat.shape[1] <= WIDEST:
        return flat
    from sklearn.decomposition import PCA

    components = min(COMPONENTS, len(flat) - 1)
    reduced = PCA(components, svd_solver="randomized", random_state=seed).fit_transform(flat)
    return np.asarray(reduced / reduced[:, 0].std(), dtype=np.float32)


def _standardised(flat: NDArray[np.float64]) -> Features:
    spread = flat.std(axis=0)
    return ((flat - flat.mean(axis=0)) / np.where(spread > 0, spread, 1)).astype(np.float32)
