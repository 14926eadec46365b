"""Nearest neighbours that are no copies of the point itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist


def nearest_of_others(
    values: NDArray[np.float64], sample: NDArray[np.int64], reach: int = 0
) -> NDArray[np.int64]:
    """Return the position of each point's nearest neighbour among the points of other samples.

    Several agents encode the same sample, and a sample's encodings lie closer together than
    anything else; the same holds for windows that share time steps.  Neither tells how the
    space is arranged, so they are passed over.

    Args:
        values: shape (points, width).
        sample: the sample of each point, as its position in the data set; shape (points,).
        reach: samples at most so many positions apart overlap (0: none do).

    Returns:
        Shape (points,); -1 where every other point is of the same or an overlapping sample.
    """
    distances = cdist(values, values)
    distances[np.abs(sample[:, None] - sample) <= reach] = np.inf
    nearest = distances.argmin(axis=1)
    alone = np.isinf(distances.min(axis=1))
    return np.where(alone, -1, nearest)
