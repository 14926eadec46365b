"""The topologies by name, and the edges that they make of a list of members.

A topology is a pure function of (members, round, seed, label): a simulator that knows everybody
and a peer that sees only the living compute the same edges, with no coordinator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from parse_dfl.errors import ConfigError, OverlayError, unknown
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
from parse_dfl.text import real, whole

if TYPE_CHECKING:
    import networkx as nx


def _one_round(_: int) -> int:
    return 1


@dataclass(frozen=True, kw_only=True)
class Topology:
    """A rule that says who is whose neighbour.

    ``build`` gets at least two members and answers with pairs of places in their order.
    """

    name: str
    build: Callable[[TopologyContext], Pairs]
    period: Callable[[int], int] = _one_round
    """After how many rounds the edges of n members have together connected everybody."""
    directed: bool = False
    time_varying: bool = False

    def edges(self, members: Sequence[str], *, round: int, seed: int, label: str) -> Edges:
        """The edges between ``members`` in a round of the overlay ``label``.

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
        places = ranking(members, seed=seed, label=label)
        names = tuple(members[index] for index in places)
        pairs = places[
            self.build(TopologyContext(names=names, round=round, seed=seed, label=label))
        ]
        return Edges(tuple(members), canonicalize(pairs, directed=self.directed), self.directed)

    def check(self, agents: Sequence[str]) -> None:
        """Raise an :class:`OverlayError` if a given graph does not fit all ``agents`` of a run."""
        if isinstance(self.build, FixedGraph):
            self.build.check(agents)


@dataclass(frozen=True)
class Parameter:
    """One number in a topology's name, as in ``regular:4``."""

    name: str
    default: int | float
    least: int | float
    most: float = float("inf")
    even: bool = False

    def read(self, text: str, topology: str) -> int | float:
        """The number that ``text`` stands for, or a :class:`ConfigError` that says what may."""
        value = whole(text) if isinstance(self.default, int) else real(text)
        if value is None or not self.least <= value <= self.most or (self.even and value % 2):
            raise ConfigError(f"{text!r} is no {self.name} for topology {topology!r}; {self.rule}")
        return value

    @property
    def rule(self) -> str:
        """What may be written."""
        kind = "an even integer" if self.even else "an integer"
        if isinstance(self.default, float):
            kind = "a number"
        return f"use {kind} from {self.least:g}" + (
            f" to {self.most:g}" if isfinite(self.most) else " up"
        )


@dataclass(frozen=True, kw_only=True)
class TopologySpec:
    """How a topology is built from the parameters in its name."""

    build: Callable[..., Pairs]
    help: str
    parameters: tuple[Parameter, ...] = ()
    period: Callable[[int], int] = _one_round
    time_varying: bool = False
    directed: bool = False


TOPOLOGY_SPECS: Mapping[str, TopologySpec] = {
    "ring": TopologySpec(build=generators.ring, help="two neighbours each"),
    "chordal-ring": TopologySpec(
        build=generators.chordal_ring,
        help="ring plus chords, chordal-ring:CHORD (default: root of n)",
        parameters=(Parameter("chord", 0, least=2),),
    ),
    "regular": TopologySpec(
        build=generators.regular,
        help="random graph of equal degrees, regular:DEGREE (default 4)",
        parameters=(Parameter("degree", 4, least=2),),
    ),
    "erdos-renyi": TopologySpec(
        build=generators.erdos_renyi,
        help="random graph, erdos-renyi:PROBABILITY of an edge (default 0.3)",
        parameters=(Parameter("probability", 0.3, least=0.001, most=1),),
    ),
    "small-world": TopologySpec(
        build=generators.small_world,
        help="ring lattice with rewired edges, small-world:DEGREE:PROBABILITY (default 4:0.1)",
        parameters=(
            Parameter("degree", 4, least=2, even=True),
            Parameter("rewiring probability", 0.1, least=0, most=1),
        ),
    ),
    "scale-free": TopologySpec(
        build=generators.scale_free,
        help="very uneven degrees, scale-free:LINKS of a newcomer (default 2)",
        parameters=(Parameter("number of links", 2, least=1),),
    ),
    "exponential": TopologySpec(
        build=generators.exponential, help="neighbours at distances 1, 2, 4, ... both ways"
    ),
    "one-peer-exponential": TopologySpec(
        build=generators.one_peer_exponential,
        help="directed, each round one power of two further (time-varying)",
        period=generators.exponents,
        time_varying=True,
        directed=True,
    ),
    "random-matching": TopologySpec(
        build=generators.random_matching,
        help="gossip in pairs, drawn anew each round (time-varying)",
        period=lambda _: 2,
        time_varying=True,
    ),
    "full": TopologySpec(build=generators.full, help="everybody with everybody"),
}

TOPOLOGIES: Mapping[str, str] = {
    **{name: recipe.help for name, recipe in TOPOLOGY_SPECS.items()},
    "file": "file:PATH, an edge list: two agents' names a line",
}
"""Every topology's name and its description in one line."""


def parse_topology(topology: str | Topology | nx.Graph) -> Topology:
    """The topology of a text such as ``small-world:4:0.1`` or ``file:PATH``, or of a graph.

    A topology of the user's own is returned as it is.

    Raises:
        ConfigError: an unknown name (the nearest are offered) or a bad parameter.
        OverlayError: a graph that cannot be read, is directed or is not connected.
    """
    if isinstance(topology, Topology):
        return topology
    if not isinstance(topology, str):
        graph = from_networkx(topology)
        return Topology(name=graph.source, build=graph)
    name, _, rest = topology.strip().partition(":")
    if name == "file":
        return Topology(name=topology, build=from_file(rest))
    if name not in TOPOLOGY_SPECS:
        raise unknown("topology", name, TOPOLOGIES)
    recipe = TOPOLOGY_SPECS[name]
    return Topology(
        name=topology,
        build=_with_parameters(recipe, topology, rest.split(":") if rest else []),
        period=recipe.period,
        directed=recipe.directed,
        time_varying=recipe.time_varying,
    )


def _with_parameters(
    recipe: TopologySpec, topology: str, texts: list[str]
) -> Callable[[TopologyContext], Pairs]:
    if len(texts) > len(recipe.parameters):
        names = " and ".join(parameter.name for parameter in recipe.parameters) or "no parameter"
        raise ConfigError(f"topology {topology!r} has too many parameters; it takes {names}")
    values = [parameter.default for parameter in recipe.parameters]
    for place, text in enumerate(texts):
        values[place] = recipe.parameters[place].read(text, topology)
    if not values:
        return recipe.build

    def build(draw: TopologyContext) -> Pairs:
        return recipe.build(draw, *values)

    return build
