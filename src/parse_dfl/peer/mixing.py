"""One row of W, from what a peer knows: its own degree and those that came with the messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from parse_dfl.overlays.mixing import Mixing
from parse_dfl.overlays.weights import metropolis_weight


@dataclass(frozen=True, kw_only=True)
class End:
    """One end of an overlay's edge.  ``discount`` in [0, 1] is how much of its weight a state
    still has."""

    degree: int
    samples: int
    discount: float = 1.0


def local_mixing(
    own: End,
    others: Sequence[End],
    *,
    directed: bool = False,
    by_samples: bool = False,
    both_ways: bool = False,
) -> Mixing:
    """The mixing over rows (own, others...), of which the first row is the peer's own.

    Each other's weight is the Metropolis weight of the two degrees (1/2 where directed), times
    its discount; what is missing to one stays with the own row, so that the row sums to one
    whatever arrived.  ``both_ways`` adds the edges from the own row to the others, first, for
    rules that send something of its own over each edge.
    """
    count = len(others)
    degrees = np.array([end.degree for end in others], dtype=np.int64)
    samples = np.array([end.samples for end in others], dtype=np.int64)
    discount = np.array([end.discount for end in others], dtype=np.float64)
    ratio = samples / own.samples if by_samples else 1.0
    whole = (
        np.full(count, 0.5)
        if directed
        else metropolis_weight(own.degree, degrees, sample_ratio=ratio)
    )
    there, here = np.arange(1, count + 1), np.zeros(count, dtype=np.int64)
    weight = whole * discount
    if not both_ways:
        return Mixing.of(there, here, weight, size=count + 1)
    return Mixing.of(
        np.concatenate([here, there]),
        np.concatenate([there, here]),
        np.concatenate([weight, weight]),
        size=count + 1,
    )


def average(own: Tensor, others: Sequence[Tensor], mixing: Mixing) -> None:
    """Replace ``own``, shape=(1, P), by its row of W times all rows (own, others...), in place.

    Only that row is computed and nothing is copied together: the others, each shape=(P,), lie
    where they arrived.
    """
    to_own = mixing.target == 0
    with torch.no_grad():
        own.mul_(float(mixing.self_weight[0]))
        for row, weight in zip(mixing.source[to_own], mixing.weight[to_own], strict=True):
            own.add_(others[row - 1], alpha=float(weight))
