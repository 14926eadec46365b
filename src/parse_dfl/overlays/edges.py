"""The edges of an overlay, and whether they hold it together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pairs = NDArray[np.int64]
"""Edges as pairs of indices, shape=(E, 2)."""

NO_PAIRS: Pairs = np.empty((0, 2), dtype=np.int64)


class OverlayWarning(UserWarning):
    """An overlay that differs from what was asked, or that falls apart; names the branch."""


@dataclass(frozen=True, eq=False)
class Edges:
    """Who is whose neighbour in one round.

    ``members`` stand as they were given.  ``pairs``, shape=(E, 2), holds indices into them: of
    an undirected edge i < j, of a directed one (sender, receiver); each edge once, sorted.
    """

    members: tuple[str, ...]
    pairs: Pairs
    directed: bool = False

    def degrees(self) -> NDArray[np.int64]:
        """Number of neighbours of each member, shape=(n,); of directed edges, of its senders."""
        ends = self.pairs[:, 1] if self.directed else self.pairs.ravel()
        return np.bincount(ends, minlength=len(self.members)).astype(np.int64)


def tidy(pairs: Pairs, *, directed: bool = False) -> Pairs:
    """``pairs`` sorted and each once, without loops; undirected ones turned to i < j."""
    kept = pairs[pairs[:, 0] != pairs[:, 1]]
    if not directed:
        kept = np.sort(kept, axis=1)
    return np.unique(kept, axis=0)


def components(pairs: Pairs, size: int) -> NDArray[np.int64]:
    """The number of the connected component that each of ``size`` members is in, shape=(n,)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(size, size))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def is_connected(pairs: Pairs, size: int) -> bool:
    """Whether a way leads from each of ``size`` members to every other."""
    return size <= 1 or (len(pairs) >= size - 1 and not components(pairs, size).any())
