"""Topologies: the edges that a rule makes of a list of members.

A topology is a pure function of (members, round, seed, label): a simulator that knows everybody
and a peer that sees only the living compute the same edges, with no coordinator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from parse_dfl.config import TopologyRule
from parse_dfl.config import topology as rules
from parse_dfl.errors import ConfigError, OverlayError
from parse_dfl.overlays import generators
from parse_dfl.overlays.graph import (
    NO_PAIRS,
    Edges,
    FixedGraph,
    Pairs,
    TopologyContext,
    canonicalize,
    from_file,
    from_networkx,
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


@dataclass(frozen=True, kw_only=True)
class _Generator:
    """The generator of a topology rule's edges from its parameters."""

    build: Callable[..., Pairs]
    period: Callable[[int], int] = _one_round
    time_varying: bool = False
    directed: bool = False


_GENERATORS: Mapping[type[TopologyRule], _Generator] = {
    rules.Ring: _Generator(build=generators.ring),
    rules.ChordalRing: _Generator(build=generators.chordal_ring),
    rules.Regular: _Generator(build=generators.regular),
    rules.ErdosRenyi: _Generator(build=generators.erdos_renyi),
    rules.SmallWorld: _Generator(build=generators.small_world),
    rules.ScaleFree: _Generator(build=generators.scale_free),
    rules.Exponential: _Generator(build=generators.exponential),
    rules.OnePeerExponential: _Generator(
        build=generators.one_peer_exponential,
        period=generators.exponents,
        time_varying=True,
        directed=True,
    ),
    rules.RandomMatching: _Generator(
        build=generators.random_matching, period=lambda _: 2, time_varying=True
    ),
    rules.Complete: _Generator(build=generators.full),
}
