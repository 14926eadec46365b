"""Intervals by resampling the samples' own informations.

Each of the four quantities is a mean over samples: of log p(y|x)/p(y) for the three mutual
informations, of log2 u + log2 v - log2 p(y) for the union, whose derivative by the distribution
the dual variables are.  Resampling the four columns together thus resamples the estimate to
first order, without training or solving anything again.  What a new training of the classifiers
would change is not in the interval.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from parse_dfl.analysis.pid.decomposition import Atoms, Information, Interval, Table

PERCENTILES = (2.5, 97.5)


def intervals(
    information: Information,
    pointwise: Table,
    atoms: Callable[[Information], Atoms],
    *,
    resamples: int,
    groups: NDArray[np.int64] | None,
    seed: int,
) -> list[Interval]:
    """The 95 % interval of each of the four atoms, then of their total, in bits.

    Args:
        information: the point estimate.
        pointwise: each sample's part in it, shape (samples, 4).
        atoms: how the atoms follow from the information.
        resamples: how many bootstrap samples are drawn.
        groups: whole groups are drawn instead of samples; shape (samples,), or None.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    units = (
        np.arange(len(pointwise)) if groups is None else np.unique(groups, return_inverse=True)[1]
    )
    count = int(units.max()) + 1
    sums = np.stack([np.bincount(units, column) for column in pointwise.T], axis=1)
    sizes = np.bincount(units)
    drawn = []
    for _ in range(resamples):
        times = np.bincount(rng.integers(0, count, count), minlength=count)
        shift = times @ sums / (times @ sizes) - pointwise.mean(axis=0)
        drawn.append(atoms(Information(*(np.array(information) + shift))))
    table = np.array(drawn)
    table = np.column_stack([table, table.sum(axis=1)])
    low, high = np.percentile(table, PERCENTILES, axis=0)
    return [(float(least), float(most)) for least, most in zip(low, high, strict=True)]
