"""With whom a peer exchanges which branch in a round: computed from its live view alone.

The same pure functions as in the simulator: the sharing rule groups the owners of a branch, the
topology gives the edges, so that peers with equal views agree without a word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import Branch
from parse_dfl.config import OverlayConfig
from parse_dfl.engine.neighbourhood import MixingCache, OverlayKey
from parse_dfl.methods.base import Stage
from parse_dfl.overlays.topologies import Topology
from parse_dfl.peers.announcement import PeerInfo


@dataclass(frozen=True)
class Owners:
    """A branch and the living that own it (:class:`~parse_dfl.engine.neighbourhood.Owned`)."""

    branch: Branch
    agents: Sequence[AgentSpec]


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """A peer's place on the overlay of one of its branches.

    ``degree`` is its number of neighbours (of a directed overlay: of its senders); ``receivers``
    get its state, ``senders`` give theirs, both sorted by name.  ``audible`` are the names of
    those that may send in this or, where edges change every round, in another round.
    """

    branch: Branch
    label: str
    degree: int
    receivers: tuple[AgentSpec, ...]
    senders: tuple[AgentSpec, ...]
    audible: tuple[str, ...]


class Neighbourhood:
    """Finds the neighbours of one agent."""

    def __init__(self, config: OverlayConfig, topology: Topology | None = None) -> None:
        self._book = MixingCache(config, topology, {})
        self._view: Mapping[str, PeerInfo] = {}

    @property
    def time_varying(self) -> bool:
        """Whether edges change from round to round."""
        return self._book.topology.time_varying

    @property
    def directed(self) -> bool:
        """Whether edges lead one way only."""
        return self._book.topology.directed

    def find(
        self, view: Mapping[str, PeerInfo], own: str, stage: Stage, round: int, absent: set[str]
    ) -> list[Neighbours]:
        """The neighbours of ``own`` on each of its branches that is exchanged.

        Degrees count everybody on the overlay; the ``absent`` (by name) neither send nor receive.
        """
        if view != self._view:  # views come and go; only this one matters
            self._book.forget()
            self._view = dict(view)
        agents = [view[name].agent for name in sorted(view)]
        found = []
        for branch in view[own].branches:
            owners = Owners(branch, [a for a in agents if branch in view[a.name].branches])
            overlays = [
                overlay
                for overlay in self._book.overlays(owners, stage)
                if own in overlay.members and overlay.seed == view[own].seed
            ]
            found += [self._neighbours(branch, o, owners, own, round, absent) for o in overlays]
        return found

    def _neighbours(
        self,
        branch: Branch,
        overlay: OverlayKey,
        owners: Owners,
        own: str,
        round: int,
        absent: set[str],
    ) -> Neighbours:
        edges = self._book.edges(overlay, round)
        place = overlay.members.index(own)
        agents = {agent.name: agent for agent in owners.agents}
        there = {overlay.members[j] for i, j in edges.pairs.tolist() if i == place}
        back = {overlay.members[i] for i, j in edges.pairs.tolist() if j == place}
        senders, receivers = (back, there) if edges.directed else (back | there, back | there)
        audible = set(overlay.members) - {own} if self.time_varying else senders
        return Neighbours(
            branch=branch,
            label=overlay.label,
            degree=int(edges.degrees()[place]),
            receivers=tuple(agents[name] for name in sorted(receivers - absent)),
            senders=tuple(agents[name] for name in sorted(senders - absent)),
            audible=tuple(sorted(audible)),
        )
