"""The edges of an overlay, and the order of its members that every peer computes alike.

The order of an overlay's members, which every peer computes alike with no coordinator.

Members stand by hash(seed, label, name): a newcomer slips in between two others and leaves the
order of the rest as it was, so that it changes few edges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parse_dfl.branches import stable_hash

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


def canonicalize(pairs: Pairs, *, directed: bool = False) -> Pairs:
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


def order(members: Sequence[str], *, seed: int, label: str) -> list[str]:
    """``members`` sorted by hash(seed, label, name), whatever order they came in."""
    return [members[index] for index in ranking(members, seed=seed, label=label)]


def ranking(members: Sequence[str], *, seed: int, label: str) -> NDArray[np.int64]:
    """Which member stands at each place of :func:`order`, shape=(n,), indices into ``members``."""
    hashes = [stable_hash(seed, label, name) for name in members]
    by_hash = sorted(range(len(members)), key=lambda index: (hashes[index], members[index]))
    return np.array(by_hash, dtype=np.int64)
