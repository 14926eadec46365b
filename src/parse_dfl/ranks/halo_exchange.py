"""Halo exchange: which rows must cross between ranks, and sending them.

What of a branch's mixing concerns one rank: its own rows, and the neighbours' that it needs.

Rows are *global*, numbered as in one process, or *local*: a rank's own rows and its halo, the
neighbours' rows on other ranks, in the order of the global ones.  That order is also the order of
every sum, so that many ranks add up the same numbers in the same way as one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from parse_dfl.overlays.mixing_matrix import (
    LEAST_STRIP_COLUMNS,
    STRIP_ENTRIES,
    CsrRows,
    MixingMatrix,
    csr_product,
    weights_for,
)
from parse_dfl.ranks.group import Ranks

ALIGNED_BYTES = 16
"""Every block of a message starts at a multiple of this, so that any dtype can be read in place."""


@dataclass(frozen=True)
class Parcel:
    """Rows of one tensor: which ones each rank gets, and how many of the like come from it."""

    value: Tensor  # shape=(rows, *tail)
    sent: Mapping[int, NDArray[np.int64]]
    arriving: Mapping[int, int]

    def block_bytes(self, rows: int) -> int:
        """What so many rows need in a message."""
        size = rows * prod(self.value.shape[1:]) * self.value.element_size()
        return -(-size // ALIGNED_BYTES) * ALIGNED_BYTES


class Mail:
    """What takes parcels to the other ranks and theirs back.

    Its buffers are kept from round to round: touching so much fresh memory takes longer than to
    send what is in it.
    """

    def __init__(self, ranks: Ranks) -> None:
        self._ranks = ranks
        self._outgoing: dict[int, Tensor] = {}
        self._incoming: dict[int, Tensor] = {}

    def swap(self, parcels: Sequence[Parcel]) -> list[dict[int, Tensor]]:
        """Send all parcels; for each, what arrived from each rank, shape=(rows, *tail), until the
        next call.

        Every rank must give the same parcels in the same order, but for those that it neither
        sends to nor awaits from anyone.
        """
        sent = [{r: len(rows) for r, rows in parcel.sent.items()} for parcel in parcels]
        outgoing, places = _buffers(parcels, sent, self._outgoing)
        for parcel, views in zip(parcels, places, strict=True):
            for rank, rows in parcel.sent.items():
                index = torch.from_numpy(rows).to(parcel.value.device)
                torch.index_select(parcel.value, 0, index, out=views[rank])
        awaited = [parcel.arriving for parcel in parcels]
        incoming, arrived = _buffers(parcels, awaited, self._incoming)
        self._ranks.exchange(outgoing, incoming)
        return arrived


def _buffers(
    parcels: Sequence[Parcel], counts: Sequence[Mapping[int, int]], kept: dict[int, Tensor]
) -> tuple[dict[int, Tensor], list[dict[int, Tensor]]]:
    """A buffer a rank, and each parcel's view of it, for so many rows by parcel and rank.

    The buffers are parts of those that are ``kept``, which become larger where needed.
    """
    sizes: dict[int, int] = {}
    for parcel, rows in zip(parcels, counts, strict=True):
        for rank, count in rows.items():
            sizes[rank] = sizes.get(rank, 0) + parcel.block_bytes(count)
    device = parcels[0].value.device if parcels else torch.device("cpu")
    buffers = {rank: _part(kept, rank, size, device) for rank, size in sizes.items()}
    begin = dict.fromkeys(sizes, 0)
    views: list[dict[int, Tensor]] = []
    for parcel, rows in zip(parcels, counts, strict=True):
        views.append({})
        for rank, count in rows.items():
            views[-1][rank] = _view(buffers[rank], begin[rank], parcel.value, count)
            begin[rank] += parcel.block_bytes(count)
    return {rank: buffer for rank, buffer in buffers.items() if len(buffer)}, views


def _part(kept: dict[int, Tensor], rank: int, size: int, device: torch.device) -> Tensor:
    """So many bytes of the buffer for a rank."""
    if rank not in kept or len(kept[rank]) < size:
        kept[rank] = torch.empty(size, dtype=torch.uint8, device=device)
    return kept[rank][:size]


def _view(buffer: Tensor, start: int, like: Tensor, rows: int) -> Tensor:
    shape = (rows, *like.shape[1:])
    size = prod(shape) * like.element_size()
    return buffer[start : start + size].view(like.dtype).view(shape)


def placed(
    local: Tensor, blocks: Mapping[int, Tensor], places: Mapping[int, NDArray[np.int64]]
) -> Tensor:
    """``local`` with each rank's block at its places; in place."""
    for rank, block in blocks.items():
        index = torch.from_numpy(places[rank]).to(local.device)
        local.index_copy_(0, index, block)
    return local


Numbers = NDArray[np.int64]


class Halo:
    """One rank's part of a mixing over global rows.

    Args:
        mixing: W over all n rows.
        home: the rank of each row, shape=(n,).
        rank: whose part this is.
    """

    def __init__(self, mixing: MixingMatrix, home: Numbers, rank: int) -> None:
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
        self._csr_cache: dict[tuple[torch.device, torch.dtype], CsrRows] = {}

    def inward(self) -> MixingMatrix:
        """The mixing over local rows; rows of the halo receive nothing."""
        return self._over(self.inward_edges)

    def both_ways(self) -> MixingMatrix:
        """The mixing over local rows and all edges of own ones, for rules that send over edges."""
        return self._over(self.all_edges)

    def _over(self, edges: Numbers) -> MixingMatrix:
        mixing = self.mixing
        return MixingMatrix.of(
            self._local[mixing.source[edges]],
            self._local[mixing.target[edges]],
            mixing.weight[edges],
            size=len(self.rows),
        )

    def mix_in_place(self, matrix: Tensor, arrived: Mapping[int, Tensor]) -> None:
        """Replace own rows, shape=(own, P), by what W makes of them and of what arrived, rank by
        rank: :meth:`MixingMatrix.apply_in_place` where some rows are elsewhere."""
        if not len(self.inward_edges):
            return
        bags = self._csr_rows(matrix)
        width = max(LEAST_STRIP_COLUMNS, STRIP_ENTRIES // max(1, len(self.rows)))
        blocks = [arrived[rank] for rank in sorted(self.arriving_rows)]
        strips = [rows.split(width, 1) for rows in [matrix, *blocks]]
        for strip, *others in zip(*strips, strict=True):
            strip.copy_(csr_product(torch.cat([strip, *others]) if others else strip, bags))

    def _csr_rows(self, matrix: Tensor) -> CsrRows:
        """Each own row, then its sources by rising global number: places among own rows and
        those that arrive, rank by rank."""
        key = (matrix.device, matrix.dtype)
        if key not in self._csr_cache:
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
            self._csr_cache[key] = (
                torch.from_numpy(place[self._local[source[by_row]]]).to(matrix.device),
                torch.from_numpy(starts).to(matrix.device),
                weights_for(matrix, weight[by_row]),
            )
        return self._csr_cache[key]


def _by_rank(
    other: Numbers, values: Numbers, chosen: NDArray[np.bool_], rank: int
) -> Mapping[int, Numbers]:
    """The chosen edges' ``values`` by the rank of their other end, this rank's own left out."""
    crossing = np.flatnonzero(chosen & (other != rank))
    return {int(r): values[crossing[other[crossing] == r]] for r in np.unique(other[crossing])}
