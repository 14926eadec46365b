"""Keep a live view of the federation, and find one's neighbours, without a server.

An agent holds a liveliness token per modality, whose key carries its signed info.  A token
vanishes when its agent leaves, is killed, or is silent for the lease; so everybody's view of the
living follows by itself.  Views may differ for a moment.  From its view each peer computes its
neighbours by the simulator's pure functions: the sharing rule groups the owners of a branch, the
topology gives the edges, so that peers with equal views agree without a word.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Condition

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import Branch
from parse_dfl.config import OverlayConfig
from parse_dfl.engine.neighbourhood import MixingCache, OverlayKey
from parse_dfl.methods.base import Stage
from parse_dfl.overlays.topologies import Topology
from parse_dfl.peers.announcement import PeerInfo, compatible, differences
from parse_dfl.peers.authority import Authority, Rejected
from parse_dfl.peers.identity import Signer
from parse_dfl.peers.transport import Topics, Transport

MOST_TOKENS = 50_000
MOST_KEY_BYTES = 80 << 10
MOST_DIFFERING = 1000
LIVING_TIMEOUT_S = 2.0


class Membership:
    """A peer's live view of its federation.

    ``changed`` is notified whenever the view changes; whoever waits for anything of the network
    waits on it.
    """

    def __init__(
        self,
        transport: Transport,
        topics: Topics,
        identity: Signer,
        authority: Authority | None,
        changed: Condition,
    ) -> None:
        self._transport, self._topics = transport, topics
        self._identity, self._authority = identity, authority
        self._changed = changed
        self._tokens: dict[str, dict[str, PeerInfo]] = {}  # agent → key → info
        self._own_info: PeerInfo | None = None
        self._differing: dict[str, list[str]] = {}
        self.version = 0
        self.refused = 0

    @property
    def own_info(self) -> PeerInfo:
        """The info that this agent announces."""
        assert self._own_info is not None, "join comes first"
        return self._own_info

    def join(self, info: PeerInfo) -> None:
        """Announce this agent, and begin to hear of the others."""
        self.announce(info)
        self._transport.watch(self._topics.everybody, self._seen)
        for key in self._transport.living(self._topics.everybody, timeout_s=LIVING_TIMEOUT_S):
            self._seen(key, True)

    def announce(self, info: PeerInfo) -> None:
        """Announce a new info, as after this agent lost or gained a modality."""
        self._own_info = replace(info, created_ns=time.time_ns())
        text = self._own_info.to_string(self._identity)
        self._transport.announce(
            [self._topics.alive(modality, info.name, text) for modality in info.modalities]
        )
        self._change()

    def leave(self) -> None:
        """Withdraw the announcement; others go on without this agent."""
        self._transport.announce([])

    def others(self) -> dict[str, PeerInfo]:
        """Return all other living agents by name, each with its latest info, alike or not."""
        with self._changed:
            return {
                name: max(infos.values(), key=lambda info: info.created_ns)
                for name, infos in self._tokens.items()
                if infos and name != self.own_info.name
            }

    def view(self) -> dict[str, PeerInfo]:
        """Return the living by name, this agent included, each with its latest info.

        Those that differ in a term are left out: with them nothing is exchanged.
        """
        me = self.own_info
        alike = {name: info for name, info in self.others().items() if compatible(me, info)}
        return {**alike, me.name: me}

    def differing(self) -> dict[str, list[str]]:
        """Return name → differing terms of every agent ever seen with other terms, those that have
        left included."""
        with self._changed:
            return dict(self._differing)

    def wait(self, until: Callable[[dict[str, PeerInfo]], bool], *, timeout_s: float) -> bool:
        """Wait for the view to be as asked; return whether it is."""
        end = time.monotonic() + timeout_s
        while not until(self.view()):
            left = end - time.monotonic()
            if left <= 0:
                return False
            with self._changed:
                self._changed.wait(min(left, 0.1))
        return True

    def _seen(self, key: str, alive: bool) -> None:
        _, modality, name, text = key.split("/")
        if not alive:
            with self._changed:
                self._tokens.get(name, {}).pop(key, None)
            self._change()
            return
        info = self._read(text) if len(key) <= MOST_KEY_BYTES else None
        if info is None or info.name != name or modality not in info.modalities:
            self.refused += 1
            return
        with self._changed:
            if sum(map(len, self._tokens.values())) < MOST_TOKENS:
                self._tokens.setdefault(name, {})[key] = info
            me, room = self.own_info, len(self._differing) < MOST_DIFFERING
            if room and name != me.name and not compatible(me, info):
                self._differing[name] = differences(me.terms, info.terms, me=me.name, them=name)
        self._change()

    def _read(self, text: str) -> PeerInfo | None:
        try:
            return PeerInfo.from_string(
                text,
                federation=self._topics.federation,
                authority=self._authority,
                now=time.time(),
            )
        except Rejected:
            return None

    def _change(self) -> None:
        with self._changed:
            self.version += 1
            self._changed.notify_all()


@dataclass(frozen=True)
class Owners:
    """A branch and the living that own it (:class:`~parse_dfl.engine.neighbourhood.Owned`)."""

    branch: Branch
    agents: Sequence[AgentSpec]


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """A peer's neighbours on the overlay of one of its branches.

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


class NeighbourFinder:
    """Finds the neighbours of one agent."""

    def __init__(self, config: OverlayConfig, topology: Topology | None = None) -> None:
        self._cache = MixingCache(config, topology, {})
        self._view: Mapping[str, PeerInfo] = {}

    @property
    def topology(self) -> Topology:
        """The topology of every overlay."""
        return self._cache.topology

    @property
    def time_varying(self) -> bool:
        """Whether edges change from round to round."""
        return self._cache.topology.time_varying

    @property
    def directed(self) -> bool:
        """Whether edges lead one way only."""
        return self._cache.topology.directed

    def find(
        self, view: Mapping[str, PeerInfo], name: str, stage: Stage, round: int, absent: set[str]
    ) -> list[Neighbours]:
        """Return the neighbours of the agent ``name`` on each of its branches that is exchanged.

        Degrees count everybody on the overlay; the ``absent`` (by name) neither send nor receive.
        """
        if view != self._view:  # views come and go; only this one matters
            self._cache.forget()
            self._view = dict(view)
        agents = [view[peer].agent for peer in sorted(view)]
        neighbours = []
        for branch in view[name].branches:
            owners = Owners(branch, [a for a in agents if branch in view[a.name].branches])
            neighbours += [
                self._neighbours(overlay, owners, name, round, absent)
                for overlay in self._cache.overlays(owners, stage)
                if name in overlay.members and overlay.seed == view[name].seed
            ]
        return neighbours

    def _neighbours(
        self, overlay: OverlayKey, owners: Owners, name: str, round: int, absent: set[str]
    ) -> Neighbours:
        edges = self._cache.edges(overlay, round)
        row = overlay.members.index(name)
        agents = {agent.name: agent for agent in owners.agents}
        outgoing = {overlay.members[j] for i, j in edges.pairs.tolist() if i == row}
        incoming = {overlay.members[i] for i, j in edges.pairs.tolist() if j == row}
        both = outgoing | incoming
        senders, receivers = (incoming, outgoing) if edges.directed else (both, both)
        audible = set(overlay.members) - {name} if self.time_varying else senders
        return Neighbours(
            branch=owners.branch,
            label=overlay.label,
            degree=int(edges.degrees()[row]),
            receivers=tuple(agents[name] for name in sorted(receivers - absent)),
            senders=tuple(agents[name] for name in sorted(senders - absent)),
            audible=tuple(sorted(audible)),
        )
