"""Rows that change ranks: all that one rank has for another travels as one message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from parse_dfl.ranks.ranks import Ranks

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
