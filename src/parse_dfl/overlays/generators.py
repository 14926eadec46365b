"""Generators of topologies: pure functions of the ordered members, the round and the seed."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from parse_dfl.branches import splitmix, stable_hash
from parse_dfl.errors import OverlayError
from parse_dfl.overlays.graph import NO_PAIRS, OverlayWarning, Pairs, is_connected, ranking


@dataclass(frozen=True, kw_only=True)
class TopologyContext:
    """All that the edges of one round are a function of.

    ``names`` stand in the order of :func:`parse_dfl.overlays.graph.order`; a builder answers
    with pairs of places in it.
    """

    names: tuple[str, ...]
    round: int
    seed: int
    label: str

    @property
    def size(self) -> int:
        """Number of members n, at least two when a builder is called."""
        return len(self.names)

    def number(self, *parts: object) -> int:
        """A number of 63 bits that depends on the seed, the label and ``parts`` only."""
        return stable_hash(self.seed, self.label, *parts)

    def lowered(self, what: str, asked: int, largest: int) -> int:
        """``asked``, or with an :class:`OverlayWarning` the largest value that is possible."""
        if asked <= largest:
            return asked
        warnings.warn(
            f"overlay {self.label!r}: {what} {asked} lowered to {largest}, "
            f"the largest that its {self.size} members allow",
            OverlayWarning,
            stacklevel=2,
        )
        return largest


def until_connected(draw: TopologyContext, attempt: Callable[[int], Pairs], hint: str) -> Pairs:
    """The first of the graphs ``attempt(number)`` that is connected.

    Two members have but one connected graph, so nothing is drawn for them.

    Raises:
        OverlayError: no draw was connected; ``hint`` says what to change.
    """
    if draw.size == 2:
        return np.array([[0, 1]])
    attempts = max(20, 10_000 // draw.size)
    for number in range(attempts):
        pairs = attempt(draw.number("attempt", number))
        if is_connected(pairs, draw.size):
            return pairs
    raise OverlayError(
        f"overlay {draw.label!r}: none of {attempts} random graphs over its {draw.size} members "
        f"was connected; {hint}"
    )


def ring(draw: TopologyContext) -> Pairs:
    """Every member is linked to the one before it and the one after it."""
    return _shifts(draw.size, [1])


def chordal_ring(draw: TopologyContext, chord: int | None) -> Pairs:
    """A ring whose members are also linked to those ``chord`` further on: C_n(1, chord).

    ``chord`` None stands for ⌊√n⌋, which brings the diameter from n/2 down to about √n.  Chords
    beyond n/2 are shorter the other way round, so n/2 is the largest.
    """
    longest = draw.size // 2
    if chord is None:
        chord = min(max(2, isqrt(draw.size)), longest)
    return _shifts(draw.size, [1, draw.lowered("chord", chord, longest)])


def exponential(draw: TopologyContext) -> Pairs:
    """Every member is linked to those 1, 2, 4, … < n further on and, undirected, back.

    Source: Ying et al., NeurIPS 2021, as in :func:`one_peer_exponential`.
    """
    return _shifts(draw.size, [2**power for power in range(exponents(draw.size))])


def one_peer_exponential(draw: TopologyContext) -> Pairs:
    """In round t every member sends to the one 2^(t mod ⌈log₂ n⌉) further on; directed.

    Bicheng Ying, Kun Yuan, Yiming Chen, Hanbin Hu, Pan Pan, Wotao Yin, "Exponential Graph is
    Provably Efficient for Decentralized Deep Training", NeurIPS 2021, arXiv 2110.13363.
    """
    return _shifts(draw.size, [2 ** (draw.round % exponents(draw.size))])


def full(draw: TopologyContext) -> Pairs:
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


def regular(draw: TopologyContext, degree: int) -> Pairs:
    """A random graph in which every member has ``degree`` neighbours.

    No graph has an odd degree at an odd number of members; the degree is then one less.
    """
    import networkx as nx

    size = draw.size
    possible = min(degree, size - 1)
    possible -= possible * size % 2
    draw.lowered("degree", degree, possible)
    return until_connected(
        draw,
        lambda seed: _pairs(nx.random_regular_graph(possible, size, seed=seed)),
        f"use a degree above {degree}",
    )


def erdos_renyi(draw: TopologyContext, probability: float) -> Pairs:
    """Every two members are linked with ``probability``.

    Chance is a hash of the two names, not a stream of random numbers: a newcomer adds its own
    edges and leaves those of the others (but where the graph had to be drawn anew).
    """
    return until_connected(
        draw,
        lambda seed: _linked_by_hash(_hashes(draw, seed), probability),
        f"use a probability above {probability:g}",
    )


def small_world(draw: TopologyContext, degree: int, rewired: float) -> Pairs:
    """A ring lattice of ``degree`` neighbours, each edge rewired with a probability.

    Duncan J. Watts, Steven H. Strogatz, "Collective dynamics of 'small-world' networks",
    Nature 393, 1998.
    """
    import networkx as nx

    size = draw.size
    possible = draw.lowered("degree", degree, max(1, (size - 1) // 2 * 2))
    return until_connected(
        draw,
        lambda seed: _pairs(nx.watts_strogatz_graph(size, possible, rewired, seed=seed)),
        f"use a rewiring probability below {rewired:g} or a degree above {degree}",
    )


def scale_free(draw: TopologyContext, links: int) -> Pairs:
    """Members join one by one, each with ``links`` edges, rather to those that have many.

    Albert-László Barabási, Réka Albert, "Emergence of Scaling in Random Networks", Science 286,
    1999.  Always connected, of very uneven degrees.
    """
    import networkx as nx

    possible = draw.lowered("number of links", links, draw.size - 1)
    return _pairs(nx.barabasi_albert_graph(draw.size, possible, seed=draw.number("attempt", 0)))


def random_matching(draw: TopologyContext) -> Pairs:
    """Each round a fresh random matching: everyone has one partner, of an odd number one rests.

    Rounds 2t and 2t + 1 take alternate edges of one random ring.  Each is a uniformly random
    matching by itself, and the two together always connect all members.
    """
    circle = ranking(draw.names, seed=draw.seed, label=f"{draw.label}#{draw.round // 2}")
    if draw.round % 2:
        circle = np.roll(circle, -1) if draw.size % 2 == 0 else circle[1:]
    couples = len(circle) // 2
    return circle[: 2 * couples].reshape(couples, 2)


def _pairs(graph: object) -> Pairs:
    return np.array(list(graph.edges), dtype=np.int64).reshape(-1, 2)  # type: ignore[attr-defined]


def _hashes(draw: TopologyContext, seed: int) -> NDArray[np.uint64]:
    names = [draw.number(seed, name) for name in draw.names]
    return np.array(names, dtype=np.uint64)


def _linked_by_hash(hashes: NDArray[np.uint64], probability: float) -> Pairs:
    """The pairs whose common hash, as a number in [0, 1), is below ``probability``."""
    rows = [NO_PAIRS]
    for place in range(len(hashes) - 1):  # row by row: all n² at once would not fit in memory
        mixed = splitmix(hashes[place + 1 :] ^ splitmix(hashes[place : place + 1]))
        chance = (mixed >> np.uint64(11)) * 2.0**-53
        others = np.flatnonzero(chance < probability) + place + 1
        rows.append(np.stack([np.full_like(others, place), others], axis=1))
    return np.concatenate(rows)
