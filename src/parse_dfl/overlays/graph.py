"""Hold the edges of an overlay, order its members, and read graphs that the user gives.

Every peer computes the order alike with no coordinator.  Members stand by hash(seed, label, name):
a newcomer slips in between two others and leaves the order of the rest as it was, so that it
changes few edges.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from parse_dfl.branches import stable_hash
from parse_dfl.errors import OverlayError, nearest

if TYPE_CHECKING:
    import networkx as nx

Pairs = NDArray[np.int64]
"""Edges as pairs of indices, shape=(E, 2)."""

NO_PAIRS: Pairs = np.empty((0, 2), dtype=np.int64)

SHOWN = 8
"""How many names a message lists before it only counts the rest."""


class OverlayWarning(UserWarning):
    """An overlay that differs from what was asked, or that falls apart; names the branch."""


@dataclass(frozen=True, eq=False)
class Edges:
    """The edges of an overlay in one round.

    ``members`` stand as they were given.  ``pairs``, shape=(E, 2), holds indices into them: of
    an undirected edge i < j, of a directed one (sender, receiver); each edge once, sorted.
    """

    members: tuple[str, ...]
    pairs: Pairs
    directed: bool = False

    def degrees(self) -> NDArray[np.int64]:
        """Return each member's number of neighbours, shape=(n,); of directed edges, of senders."""
        ends = self.pairs[:, 1] if self.directed else self.pairs.ravel()
        return np.bincount(ends, minlength=len(self.members)).astype(np.int64)


def canonicalize(pairs: Pairs, *, directed: bool = False) -> Pairs:
    """Return ``pairs`` sorted and each once, without loops; undirected ones turned to i < j."""
    kept = pairs[pairs[:, 0] != pairs[:, 1]]
    if not directed:
        kept = np.sort(kept, axis=1)
    return np.unique(kept, axis=0)


def components(pairs: Pairs, size: int) -> NDArray[np.int64]:
    """Return the number of the connected component of each of ``size`` members, shape=(n,)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(size, size))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def is_connected(pairs: Pairs, size: int) -> bool:
    """Return whether a graph over ``size`` members is connected."""
    return size <= 1 or (len(pairs) >= size - 1 and not components(pairs, size).any())


def order(members: Sequence[str], *, seed: int, label: str) -> list[str]:
    """Return ``members`` sorted by hash(seed, label, name), whatever order they came in."""
    return [members[index] for index in ranking(members, seed=seed, label=label)]


def ranking(members: Sequence[str], *, seed: int, label: str) -> NDArray[np.int64]:
    """Return :func:`order` as indices into ``members``, shape=(n,)."""
    hashes = [stable_hash(seed, label, name) for name in members]
    by_hash = sorted(range(len(members)), key=lambda index: (hashes[index], members[index]))
    return np.array(by_hash, dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class TopologyContext:
    """The inputs of a topology's generator: ordered members, round, seed and label.

    ``names`` stand in the order of :func:`order`; a builder answers with pairs of indices into it.
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
        """Return a number of 63 bits that depends on the seed, the label and ``parts`` only."""
        return stable_hash(self.seed, self.label, *parts)

    def lowered(self, what: str, asked: int, largest: int) -> int:
        """Return ``asked``, or with an :class:`OverlayWarning` the largest possible value."""
        if asked <= largest:
            return asked
        warnings.warn(
            f"overlay {self.label!r}: {what} {asked} lowered to {largest}, "
            f"the largest that its {self.size} members allow",
            OverlayWarning,
            stacklevel=2,
        )
        return largest


@dataclass(frozen=True)
class FixedGraph:
    """A connected graph over agents' names; a branch uses what its owners see of it."""

    source: str
    links: tuple[tuple[str, str], ...]

    @property
    def names(self) -> set[str]:
        """Everyone who has a link."""
        return {name for link in self.links for name in link}

    def __call__(self, context: TopologyContext) -> Pairs:
        """Return the links between members, with an :class:`OverlayWarning` if they fall apart."""
        index = {name: number for number, name in enumerate(context.names)}
        inside = [(index[a], index[b]) for a, b in self.links if a in index and b in index]
        pairs = np.array(inside, dtype=np.int64).reshape(-1, 2) if inside else NO_PAIRS
        parts = components(pairs, context.size)
        if parts.any():
            cut_off = [name for name, part in zip(context.names, parts, strict=True) if part]
            warnings.warn(
                f"overlay {context.label!r}: {self.source} links its {context.size} owners in "
                f"{parts.max() + 1} separate parts; no way leads from {context.names[0]} to "
                f"{listed(cut_off)}",
                OverlayWarning,
                stacklevel=2,
            )
        return pairs

    def check(self, agents: Iterable[str]) -> None:
        """Raise an :class:`OverlayError` unless the graph is one over exactly these agents."""
        names = set(agents)
        if unknown := sorted(self.names - names):
            raise OverlayError(
                f"{self.source} names unknown agents {listed(unknown)}{nearest(unknown[0], names)}"
            )
        if missing := sorted(names - self.names):
            raise OverlayError(f"{self.source} is not connected: no edge for {listed(missing)}")


def from_file(path: str) -> FixedGraph:
    """Read the graph of an edge-list file: two names a line, ``#`` begins a comment.

    Raises:
        OverlayError: the file cannot be read, holds a line that is no edge, or its graph is
            empty or disconnected.
    """
    source = f"graph file {path!r}"
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not text in UTF-8"
        raise OverlayError(f"cannot read {source}: {reason}") from error
    links = []
    for number, line in enumerate(lines, start=1):
        names = line.partition("#")[0].split()
        if names and len(names) != 2:
            raise OverlayError(
                f"{source}, line {number}: invalid edge {line.strip()!r}; expected two names"
            )
        if names:
            links.append((names[0], names[1]))
    return _graph(source, links)


def from_networkx(graph: nx.Graph) -> FixedGraph:
    """Read a networkx graph whose nodes are the agents' names.

    Raises:
        OverlayError: the graph is directed, empty or disconnected.
    """
    source = f"networkx graph {graph.name!r}" if graph.name else "the networkx graph"
    if graph.is_directed():
        raise OverlayError(f"{source} is directed; give graph.to_undirected()")
    isolated = [(str(name), str(name)) for name, degree in graph.degree if degree == 0]
    return _graph(source, [(str(a), str(b)) for a, b in graph.edges()] + isolated)


def _graph(source: str, links: list[tuple[str, str]]) -> FixedGraph:
    names = sorted({name for link in links for name in link})
    if len(names) < 2:
        raise OverlayError(f"{source} holds no edge")
    index = {name: number for number, name in enumerate(names)}
    parts = components(np.array([(index[a], index[b]) for a, b in links]), len(names))
    if parts.any():
        main = Counter(parts.tolist()).most_common(1)[0][0]
        cut_off = [name for name, part in zip(names, parts, strict=True) if part != main]
        raise OverlayError(
            f"{source} is not connected: it falls into {parts.max() + 1} parts, "
            f"cut off from most are {listed(cut_off)}"
        )
    return FixedGraph(source, tuple(links))


def listed(names: list[str]) -> str:
    """Return ``a, b, c`` or, of many, the first ones and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
