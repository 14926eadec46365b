"""What of a branch's mixing concerns one rank: its own rows, and the neighbours' that it needs.

Rows are *global*, numbered as in one process, or *local*: a rank's own rows and its halo, the
neighbours' rows on other ranks, in the order of the global ones.  That order is also the order of
every sum, so that many ranks add up the same numbers in the same way as one.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from parse_dfl.overlays.mixing import (
    LEAST_STRIP_COLUMNS,
    STRIP_ENTRIES,
    Bags,
    Mixing,
    bag_sums,
    weights_for,
)

Numbers = NDArray[np.int64]


class Halo:
    """One rank's part of a mixing over global rows.

    Args:
        mixing: W over all n rows.
        home: the rank of each row, shape=(n,).
        rank: whose part this is.
    """

    def __init__(self, mixing: Mixing, home: Numbers, rank: int) -> None:
        self.mixing = mixing
        source, target = mixing.source, mixing.target
        own = home == rank
        needed = np.zeros(len(home), dtype=bool)
        needed[source[own[target]]] = True
        needed[target[own[source]]] = True
        self.rows = np.flatnonzero(own | needed)
        """The global number of each local row."""
        self.own = np.flatnonzero(own[self.rows])
        """The local numbers of this rank's rows."""
        self._local = np.full(len(home), -1)
        self._local[self.rows] = np.arange(len(self.rows))
        self.inward_edges = np.flatnonzero(own[target])
        """The global edges that end in own rows."""
        self.all_edges = np.flatnonzero(own[target] | own[source])
        """The global edges that begin or end in own rows."""
        self.sent_rows = _by_rank(home[target], source, own[source], rank)
        """Rank → the own rows that it needs, as places among the own ones."""
        place = np.cumsum(own) - 1
        self.sent_rows = {r: place[np.unique(rows)] for r, rows in self.sent_rows.items()}
        self.arriving_rows = {
            r: self._local[np.unique(rows)]
            for r, rows in _by_rank(home[source], source, own[target], rank).items()
        }
        """Rank → the local rows that it sends."""
        number = np.full(len(source), -1)
        number[self.all_edges] = np.arange(len(self.all_edges))
        edges = np.arange(len(source))
        self.sent_edges = {
            r: number[own_edges]
            for r, own_edges in _by_rank(home[target], edges, own[source], rank).items()
        }
        """Rank → the edges into its rows, as places among :attr:`all_edges`."""
        self.arriving_edges = {
            r: number[theirs]
            for r, theirs in _by_rank(home[source], edges, own[target], rank).items()
        }
        """Rank → the edges out of its rows, as places among :attr:`all_edges`."""
        self._bags: dict[tuple[torch.device, torch.dtype], Bags] = {}

    def inward(self) -> Mixing:
        """The mixing over local rows; rows of the halo receive nothing."""
        return self._over(self.inward_edges)

    def both_ways(self) -> Mixing:
        """The mixing over local rows and all edges of own ones, for rules that send over edges."""
        return self._over(self.all_edges)

    def _over(self, edges: Numbers) -> Mixing:
        mixing = self.mixing
        return Mixing.of(
            self._local[mixing.source[edges]],
            self._local[mixing.target[edges]],
            mixing.weight[edges],
            size=len(self.rows),
        )

    def mix_in_place(self, matrix: Tensor, arrived: Mapping[int, Tensor]) -> None:
        """Replace own rows, shape=(own, P), by what W makes of them and of what arrived, rank by
        rank: :meth:`Mixing.apply_in_place` where some rows are elsewhere."""
        if not len(self.inward_edges):
            return
        bags = self._bags_for(matrix)
        width = max(LEAST_STRIP_COLUMNS, STRIP_ENTRIES // max(1, len(self.rows)))
        blocks = [arrived[rank] for rank in sorted(self.arriving_rows)]
        strips = [rows.split(width, 1) for rows in [matrix, *blocks]]
        for strip, *others in zip(*strips, strict=True):
            strip.copy_(bag_sums(torch.cat([strip, *others]) if others else strip, bags))

    def _bags_for(self, matrix: Tensor) -> Bags:
        """Each own row, then its sources by rising global number: places among own rows and
        those that arrive, rank by rank."""
        key = (matrix.device, matrix.dtype)
        if key not in self._bags:
            edges = self.inward_edges
            own = self.rows[self.own]
            source = np.concatenate([own, self.mixing.source[edges]])
            target = np.concatenate([own, self.mixing.target[edges]])
            weight = np.concatenate([self.mixing.self_weight[own], self.mixing.weight[edges]])
            by_row = np.lexsort((source, source != target, target))
            starts = np.searchsorted(target[by_row], own)
            blocks = [self.own, *(self.arriving_rows[r] for r in sorted(self.arriving_rows))]
            stacked = np.concatenate(blocks)
            place = np.full(len(self.rows), -1)
            place[stacked] = np.arange(len(stacked))
            self._bags[key] = (
                torch.from_numpy(place[self._local[source[by_row]]]).to(matrix.device),
                torch.from_numpy(starts).to(matrix.device),
                weights_for(matrix, weight[by_row]),
            )
        return self._bags[key]


def _by_rank(
    other: Numbers, values: Numbers, chosen: NDArray[np.bool_], rank: int
) -> Mapping[int, Numbers]:
    """The chosen edges' ``values`` by the rank of their other end, this rank's own left out."""
    crossing = np.flatnonzero(chosen & (other != rank))
    return {int(r): values[crossing[other[crossing] == r]] for r in np.unique(other[crossing])}
