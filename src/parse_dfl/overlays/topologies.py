"""Generate the edges between members by the rule of a topology.

A topology is a pure function of (members, round, seed, label): a simulator that knows everybody
and a peer that sees only the living compute the same edges, with no coordinator.  Below are
:class:`Topology`, the generator of each rule, and the table of which rule has which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from math import isqrt
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from parse_dfl.branches import splitmix
from parse_dfl.config import TopologyRule
from parse_dfl.config import topology as rules
from parse_dfl.errors import ConfigError, OverlayError
from parse_dfl.overlays.graph import (
    NO_PAIRS,
    Edges,
    FixedGraph,
    Pairs,
    TopologyContext,
    canonicalize,
    from_file,
    from_networkx,
    is_connected,
    ranking,
)

if TYPE_CHECKING:
    import networkx as nx


def _one_round(_: int) -> int:
    return 1


@dataclass(frozen=True, kw_only=True)
class Topology:
    """A rule that links members with each other.

    ``build`` gets at least two members and returns pairs of indices into their order.
    """

    name: str
    build: Callable[[TopologyContext], Pairs]
    period: Callable[[int], int] = _one_round
    """After how many rounds the edges of n members have together connected everybody."""
    directed: bool = False
    time_varying: bool = False

    def edges(self, members: Sequence[str], *, round: int, seed: int, label: str) -> Edges:
        """Return the edges between ``members`` in a round of the overlay ``label``.

        The order in which the members are given does not matter.  One member has no edge.

        Warns:
            OverlayWarning: a degree had to be lowered, or a given graph falls apart.

        Raises:
            OverlayError: a name stands twice, or no random graph was connected.
        """
        if len(set(members)) != len(members):
            twice = sorted({name for name in members if members.count(name) > 1})
            raise OverlayError(f"overlay {label!r}: {', '.join(twice)} among its members twice")
        if len(members) < 2:
            return Edges(tuple(members), NO_PAIRS, self.directed)
        ranks = ranking(members, seed=seed, label=label)
        names = tuple(members[index] for index in ranks)
        pairs = ranks[self.build(TopologyContext(names=names, round=round, seed=seed, label=label))]
        return Edges(tuple(members), canonicalize(pairs, directed=self.directed), self.directed)

    @classmethod
    def of(cls, topology: str | TopologyRule | Topology | nx.Graph) -> Topology:
        """Return the topology of a rule, of its text (``small-world:4:0.1``, ``file:PATH``), or of
        a networkx graph; a topology is returned as it is.

        Raises:
            ConfigError: an unknown name (the nearest are offered) or a bad parameter.
            OverlayError: a graph that cannot be read, is directed or is not connected.
        """
        if isinstance(topology, Topology):
            return topology
        if not isinstance(topology, str | TopologyRule):
            graph = from_networkx(topology)
            return cls(name=graph.source, build=graph)
        rule = TopologyRule.of(topology)
        if isinstance(rule, rules.GraphFile):
            return cls(name=str(rule), build=from_file(rule.path))
        if isinstance(rule, rules.OwnTopology):
            raise ConfigError(
                f"topology {str(rule)!r} was handed over by a program; give it again there, as "
                "Federation(topology=...)"
            )
        generator = _GENERATORS[type(rule)]
        parameters = [getattr(rule, field.name) for field in fields(rule)]
        return cls(
            name=str(rule),
            build=lambda context: generator.build(context, *parameters),
            period=generator.period,
            directed=generator.directed,
            time_varying=generator.time_varying,
        )

    def check(self, agents: Sequence[str]) -> None:
        """Raise an :class:`OverlayError` if a given graph does not fit all ``agents`` of a run."""
        if isinstance(self.build, FixedGraph):
            self.build.check(agents)


def ring(context: TopologyContext) -> Pairs:
    """Link every member to the one before it and the one after it."""
    return _shifts(context.size, [1])


def chordal_ring(context: TopologyContext, chord: int | None) -> Pairs:
    """Link the members as a ring, and to those ``chord`` further on: C_n(1, chord).

    ``chord`` None stands for ⌊√n⌋, which brings the diameter from n/2 down to about √n.  Chords
    beyond n/2 are shorter the other way round, so n/2 is the largest.
    """
    longest = context.size // 2
    if chord is None:
        chord = min(max(2, isqrt(context.size)), longest)
    return _shifts(context.size, [1, context.lowered("chord", chord, longest)])


def exponential(context: TopologyContext) -> Pairs:
    """Link every member to those 1, 2, 4, … < n further on and, undirected, back.

    Source: Ying et al., NeurIPS 2021, as in :func:`one_peer_exponential`.
    """
    return _shifts(context.size, [2**power for power in range(exponents(context.size))])


def one_peer_exponential(context: TopologyContext) -> Pairs:
    """Let every member send to the one 2^(t mod ⌈log₂ n⌉) further on in round t; directed.

    Bicheng Ying, Kun Yuan, Yiming Chen, Hanbin Hu, Pan Pan, Wotao Yin, "Exponential Graph is
    Provably Efficient for Decentralized Deep Training", NeurIPS 2021, arXiv 2110.13363.
    """
    return _shifts(context.size, [2 ** (context.round % exponents(context.size))])


def full(context: TopologyContext) -> Pairs:
    """Link every member to every other."""
    return np.stack(np.triu_indices(context.size, k=1), axis=1).astype(np.int64)


def exponents(size: int) -> int:
    """Return ⌈log₂ n⌉, at least one: how many powers of two are smaller than n."""
    return max(1, (size - 1).bit_length())


def _shifts(size: int, distances: Iterable[int]) -> Pairs:
    start = np.arange(size, dtype=np.int64)
    return np.concatenate(
        [np.stack([start, (start + distance) % size], axis=1) for distance in distances]
    )


def regular(context: TopologyContext, degree: int) -> Pairs:
    """Draw a random graph in which every member has ``degree`` neighbours.

    No graph has an odd degree at an odd number of members; the degree is then one less.
    """
    import networkx as nx

    size = context.size
    possible = min(degree, size - 1)
    possible -= possible * size % 2
    context.lowered("degree", degree, possible)
    return until_connected(
        context,
        lambda seed: _pairs(nx.random_regular_graph(possible, size, seed=seed)),
        f"use a degree above {degree}",
    )


def erdos_renyi(context: TopologyContext, probability: float) -> Pairs:
    """Link every two members with ``probability``.

    Chance is a hash of the two names, not a stream of random numbers: a newcomer adds its own
    edges and leaves those of the others (but where the graph had to be drawn anew).
    """
    return until_connected(
        context,
        lambda seed: _linked_by_hash(_hashes(context, seed), probability),
        f"use a probability above {probability:g}",
    )


def small_world(context: TopologyContext, degree: int, rewired: float) -> Pairs:
    """Draw a ring lattice of ``degree`` neighbours, each edge rewired with a probability.

    Duncan J. Watts, Steven H. Strogatz, "Collective dynamics of 'small-world' networks",
    Nature 393, 1998.
    """
    import networkx as nx

    size = context.size
    possible = context.lowered("degree", degree, max(1, (size - 1) // 2 * 2))
    return until_connected(
        context,
        lambda seed: _pairs(nx.watts_strogatz_graph(size, possible, rewired, seed=seed)),
        f"use a rewiring probability below {rewired:g} or a degree above {degree}",
    )


def scale_free(context: TopologyContext, links: int) -> Pairs:
    """Let members join one by one, each linked to ``links`` others, preferably well-linked ones.

    Albert-László Barabási, Réka Albert, "Emergence of Scaling in Random Networks", Science 286,
    1999.  Always connected, of very uneven degrees.
    """
    import networkx as nx

    possible = context.lowered("number of links", links, context.size - 1)
    return _pairs(
        nx.barabasi_albert_graph(context.size, possible, seed=context.number("attempt", 0))
    )


def random_matching(context: TopologyContext) -> Pairs:
    """Draw a fresh matching each round: everyone has one partner, of an odd number one rests.

    Rounds 2t and 2t + 1 take alternate edges of one random ring.  Each is a uniformly random
    matching by itself, and the two together always connect all members.
    """
    circle = ranking(
        context.names, seed=context.seed, label=f"{context.label}#{context.round // 2}"
    )
    if context.round % 2:
        circle = np.roll(circle, -1) if context.size % 2 == 0 else circle[1:]
    couples = len(circle) // 2
    return circle[: 2 * couples].reshape(couples, 2)


def until_connected(context: TopologyContext, attempt: Callable[[int], Pairs], hint: str) -> Pairs:
    """Return the first of the graphs ``attempt(number)`` that is connected.

    Two members have but one connected graph, so nothing is drawn for them.

    Raises:
        OverlayError: no context was connected; ``hint`` says what to change.
    """
    if context.size == 2:
        return np.array([[0, 1]])
    attempts = max(20, 10_000 // context.size)
    for number in range(attempts):
        pairs = attempt(context.number("attempt", number))
        if is_connected(pairs, context.size):
            return pairs
    raise OverlayError(
        f"overlay {context.label!r}: none of {attempts} random graphs over its {context.size} "
        f"members was connected; {hint}"
    )


def _pairs(graph: object) -> Pairs:
    return np.array(list(graph.edges), dtype=np.int64).reshape(-1, 2)  # type: ignore[attr-defined]


def _hashes(context: TopologyContext, seed: int) -> NDArray[np.uint64]:
    names = [context.number(seed, name) for name in context.names]
    return np.array(names, dtype=np.uint64)


def _linked_by_hash(hashes: NDArray[np.uint64], probability: float) -> Pairs:
    """Return the pairs whose common hash, as a number in [0, 1), is below ``probability``."""
    rows = [NO_PAIRS]
    for member in range(len(hashes) - 1):  # row by row: all n² at once would not fit in memory
        mixed = splitmix(hashes[member + 1 :] ^ splitmix(hashes[member : member + 1]))
        chance = (mixed >> np.uint64(11)) * 2.0**-53
        others = np.flatnonzero(chance < probability) + member + 1
        rows.append(np.stack([np.full_like(others, member), others], axis=1))
    return np.concatenate(rows)


@dataclass(frozen=True, kw_only=True)
class _Generator:
    """The generator of a topology rule's edges from its parameters."""

    build: Callable[..., Pairs]
    period: Callable[[int], int] = _one_round
    time_varying: bool = False
    directed: bool = False


_GENERATORS: Mapping[type[TopologyRule], _Generator] = {
    rules.Ring: _Generator(build=ring),
    rules.ChordalRing: _Generator(build=chordal_ring),
    rules.Regular: _Generator(build=regular),
    rules.ErdosRenyi: _Generator(build=erdos_renyi),
    rules.SmallWorld: _Generator(build=small_world),
    rules.ScaleFree: _Generator(build=scale_free),
    rules.Exponential: _Generator(build=exponential),
    rules.OnePeerExponential: _Generator(
        build=one_peer_exponential,
        period=exponents,
        time_varying=True,
        directed=True,
    ),
    rules.RandomMatching: _Generator(build=random_matching, period=lambda _: 2, time_varying=True),
    rules.Complete: _Generator(build=full),
}
