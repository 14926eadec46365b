"""Topologies in which every member is linked to the ones at fixed distances along the order."""

from __future__ import annotations

from collections.abc import Iterable
from math import isqrt

import numpy as np

from parse_dfl.overlays.draws import Draw
from parse_dfl.overlays.edges import Pairs


def ring(draw: Draw) -> Pairs:
    """Every member is linked to the one before it and the one after it."""
    return _shifts(draw.size, [1])


def chordal_ring(draw: Draw, chord: int) -> Pairs:
    """A ring whose members are also linked to those ``chord`` further on: C_n(1, chord).

    ``chord`` 0 stands for ⌊√n⌋, which brings the diameter from n/2 down to about √n.  Chords
    beyond n/2 are shorter the other way round, so n/2 is the largest.
    """
    longest = draw.size // 2
    if chord == 0:
        chord = min(max(2, isqrt(draw.size)), longest)
    return _shifts(draw.size, [1, draw.lowered("chord", chord, longest)])


def exponential(draw: Draw) -> Pairs:
    """Every member is linked to those 1, 2, 4, … < n further on and, undirected, back.

    Source: Ying et al., NeurIPS 2021, as in :func:`one_peer_exponential`.
    """
    return _shifts(draw.size, [2**power for power in range(exponents(draw.size))])


def one_peer_exponential(draw: Draw) -> Pairs:
    """In round t every member sends to the one 2^(t mod ⌈log₂ n⌉) further on; directed.

    Bicheng Ying, Kun Yuan, Yiming Chen, Hanbin Hu, Pan Pan, Wotao Yin, "Exponential Graph is
    Provably Efficient for Decentralized Deep Training", NeurIPS 2021, arXiv 2110.13363.
    """
    return _shifts(draw.size, [2 ** (draw.round % exponents(draw.size))])


def full(draw: Draw) -> Pairs:
    """Every member is linked to every other."""
    return np.stack(np.triu_indices(draw.size, k=1), axis=1).astype(np.int64)


def exponents(size: int) -> int:
    """⌈log₂ n⌉, at least one: how many powers of two are smaller than n."""
    return max(1, (size - 1).bit_length())


def _shifts(size: int, distances: Iterable[int]) -> Pairs:
    start = np.arange(size, dtype=np.int64)
    return np.concatenate(
        [np.stack([start, (start + distance) % size], axis=1) for distance in distances]
    )
