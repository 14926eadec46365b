"""Graphs that the user gives: an edge-list file, or a networkx graph from Python."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from parse_dfl.errors import OverlayError, nearest
from parse_dfl.overlays.generators import TopologyContext
from parse_dfl.overlays.graph import NO_PAIRS, OverlayWarning, Pairs, components

if TYPE_CHECKING:
    import networkx as nx


SHOWN = 8
"""How many names a message lists before it only counts the rest."""


@dataclass(frozen=True)
class FixedGraph:
    """A connected graph over agents' names; a branch uses what its owners see of it."""

    source: str
    links: tuple[tuple[str, str], ...]

    @property
    def names(self) -> set[str]:
        """Everyone who has a link."""
        return {name for link in self.links for name in link}

    def __call__(self, draw: TopologyContext) -> Pairs:
        """The links between members, with an :class:`OverlayWarning` if they fall apart."""
        place = {name: index for index, name in enumerate(draw.names)}
        inside = [(place[a], place[b]) for a, b in self.links if a in place and b in place]
        pairs = np.array(inside, dtype=np.int64).reshape(-1, 2) if inside else NO_PAIRS
        parts = components(pairs, draw.size)
        if parts.any():
            cut_off = [name for name, part in zip(draw.names, parts, strict=True) if part]
            warnings.warn(
                f"overlay {draw.label!r}: {self.source} links its {draw.size} owners in "
                f"{parts.max() + 1} separate parts; no way leads from {draw.names[0]} to "
                f"{listed(cut_off)}",
                OverlayWarning,
                stacklevel=2,
            )
        return pairs

    def check(self, agents: Iterable[str]) -> None:
        """Raise an :class:`OverlayError` unless the graph is one over exactly these agents."""
        known = set(agents)
        if unknown := sorted(self.names - known):
            raise OverlayError(
                f"{self.source} names unknown agents {listed(unknown)}{nearest(unknown[0], known)}"
            )
        if missing := sorted(known - self.names):
            raise OverlayError(f"{self.source} is not connected: no edge for {listed(missing)}")


def from_file(path: str) -> FixedGraph:
    """The graph of an edge-list file: two names a line, ``#`` begins a comment.

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
                f"{source}, line {number}: {line.strip()!r} is no edge; write two names"
            )
        if names:
            links.append((names[0], names[1]))
    return _graph(source, links)


def from_networkx(graph: nx.Graph) -> FixedGraph:
    """A networkx graph whose nodes are the agents' names.

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
    place = {name: index for index, name in enumerate(names)}
    parts = components(np.array([(place[a], place[b]) for a, b in links]), len(names))
    if parts.any():
        main = Counter(parts.tolist()).most_common(1)[0][0]
        cut_off = [name for name, part in zip(names, parts, strict=True) if part != main]
        raise OverlayError(
            f"{source} is not connected: it falls into {parts.max() + 1} parts, "
            f"cut off from most are {listed(cut_off)}"
        )
    return FixedGraph(source, tuple(links))


def listed(names: list[str]) -> str:
    """``a, b, c`` or, of many, the first ones and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
