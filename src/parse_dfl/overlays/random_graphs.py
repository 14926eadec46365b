"""Random topologies: drawn from the seed and the label, so that all peers draw the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from parse_dfl.overlays.draws import Draw, until_connected
from parse_dfl.overlays.edges import NO_PAIRS, Pairs
from parse_dfl.overlays.ordering import ranking


def regular(draw: Draw, degree: int) -> Pairs:
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


def erdos_renyi(draw: Draw, probability: float) -> Pairs:
    """Every two members are linked with ``probability``.

    Chance is a hash of the two names, not a stream of random numbers: a newcomer adds its own
    edges and leaves those of the others (but where the graph had to be drawn anew).
    """
    return until_connected(
        draw,
        lambda seed: _linked_by_hash(_hashes(draw, seed), probability),
        f"use a probability above {probability:g}",
    )


def small_world(draw: Draw, degree: int, rewired: float) -> Pairs:
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


def scale_free(draw: Draw, links: int) -> Pairs:
    """Members join one by one, each with ``links`` edges, rather to those that have many.

    Albert-László Barabási, Réka Albert, "Emergence of Scaling in Random Networks", Science 286,
    1999.  Always connected, of very uneven degrees.
    """
    import networkx as nx

    possible = draw.lowered("number of links", links, draw.size - 1)
    return _pairs(nx.barabasi_albert_graph(draw.size, possible, seed=draw.number("attempt", 0)))


def random_matching(draw: Draw) -> Pairs:
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


def _hashes(draw: Draw, seed: int) -> NDArray[np.uint64]:
    names = [draw.number(seed, name) for name in draw.names]
    return np.array(names, dtype=np.uint64)


def _linked_by_hash(hashes: NDArray[np.uint64], probability: float) -> Pairs:
    """The pairs whose common hash, as a number in [0, 1), is below ``probability``."""
    rows = [NO_PAIRS]
    for place in range(len(hashes) - 1):  # row by row: all n² at once would not fit in memory
        mixed = _mixed(hashes[place + 1 :] ^ _mixed(hashes[place : place + 1]))
        chance = (mixed >> np.uint64(11)) * 2.0**-53
        others = np.flatnonzero(chance < probability) + place + 1
        rows.append(np.stack([np.full_like(others, place), others], axis=1))
    return np.concatenate(rows)


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): any bit changes all."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
