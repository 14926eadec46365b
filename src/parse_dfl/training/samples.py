"""Samples in memory: channels first, as convolutions read them, whatever the axes' order says.

A sample's last axis holds its channels (:mod:`parse_dfl.modalities`).  Stored so, a standardisation
per channel runs over three numbers at a time, and every convolution copies its input first.
"""

from __future__ import annotations

from torch import Tensor

from parse_dfl.modalities import Kind


def arranged(values: Tensor, kind: Kind) -> Tensor:
    """``values``, shape=(samples, *shape), equal in every entry, with channels first in memory."""
    axes = {Kind.VECTOR: 2, Kind.SERIES: 3, Kind.IMAGE: 4, Kind.VIDEO: 5}[kind]
    if kind is Kind.VECTOR or values.dim() < axes:
        return values
    return values.movedim(-1, 1).contiguous().movedim(1, -1)


def take(values: Tensor, index: Tensor) -> Tensor:
    """``values[index]`` for an index of any shape, in the same order of memory."""
    picked = _memory(values).index_select(0, index.flatten())
    if not values.is_contiguous():
        picked = picked.movedim(1, -1)
    return picked.unflatten(0, index.shape)


def _memory(values: Tensor) -> Tensor:
    """The axes in the order in which they lie in memory."""
    return values if values.is_contiguous() else values.movedim(-1, 1)
