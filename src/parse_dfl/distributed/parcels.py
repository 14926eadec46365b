"""Rows that change ranks: all that one rank has for another travels as one message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from parse_dfl.distributed.ranks import Ranks

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


def swap(ranks: Ranks, parcels: Sequence[Parcel]) -> list[dict[int, Tensor]]:
    """Send all parcels; for each, what arrived from each rank, shape=(rows, *tail).

    Every rank must give the same parcels in the same order, but for those that it neither sends
    to nor awaits from anyone.
    """
    sent = [{r: len(rows) for r, rows in parcel.sent.items()} for parcel in parcels]
    outgoing, places = _buffers(parcels, sent)
    for parcel, views in zip(parcels, places, strict=True):
        for rank, rows in parcel.sent.items():
            index = torch.from_numpy(rows).to(parcel.value.device)
            torch.index_select(parcel.value, 0, index, out=views[rank])
    incoming, arrived = _buffers(parcels, [parcel.arriving for parcel in parcels])
    ranks.exchange(outgoing, incoming)
    return arrived


def _buffers(
    parcels: Sequence[Parcel], counts: Sequence[Mapping[int, int]]
) -> tuple[dict[int, Tensor], list[dict[int, Tensor]]]:
    """A buffer a rank, and each parcel's view of it, for so many rows by parcel and rank."""
    sizes: dict[int, int] = {}
    for parcel, rows in zip(parcels, counts, strict=True):
        for rank, count in rows.items():
            sizes[rank] = sizes.get(rank, 0) + parcel.block_bytes(count)
    device = parcels[0].value.device if parcels else None
    buffers = {r: torch.empty(n, dtype=torch.uint8, device=device) for r, n in sizes.items() if n}
    empty = torch.empty(0, dtype=torch.uint8, device=device)
    begin = dict.fromkeys(sizes, 0)
    views: list[dict[int, Tensor]] = []
    for parcel, rows in zip(parcels, counts, strict=True):
        views.append({})
        for rank, count in rows.items():
            buffer, start = buffers.get(rank, empty), begin[rank]
            views[-1][rank] = _view(buffer, start, parcel.value, count)
            begin[rank] = start + parcel.block_bytes(count)
    return buffers, views


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
