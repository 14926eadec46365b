"""Who is there, without anybody who keeps a list: every agent announces itself.

An agent holds a liveliness token per modality, whose key carries its signed info.  A token
vanishes when its agent leaves, is killed, or is silent for the lease; so everybody's view of the
living follows by itself.  Views may differ for a moment.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from threading import Condition

from parse_dfl.peers.announcement import PeerInfo, read_info, write_info
from parse_dfl.peers.authority import Authority
from parse_dfl.peers.compatibility import differences
from parse_dfl.peers.identity import Signer
from parse_dfl.peers.rejection import Rejected
from parse_dfl.peers.topics import Topics
from parse_dfl.peers.transport import Transport

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
        keys: Topics,
        identity: Signer,
        authority: Authority | None,
        changed: Condition,
    ) -> None:
        self._transport, self._keys = transport, keys
        self._identity, self._authority = identity, authority
        self._changed = changed
        self._tokens: dict[str, dict[str, PeerInfo]] = {}  # agent → key → info
        self._own: PeerInfo | None = None
        self._differing: dict[str, list[str]] = {}
        self.version = 0
        self.refused = 0

    def join(self, info: PeerInfo) -> None:
        """Announce this agent, and begin to hear of the others."""
        self.announce(info)
        self._transport.watch(self._keys.everybody, self._seen)
        for key in self._transport.living(self._keys.everybody, timeout_s=LIVING_TIMEOUT_S):
            self._seen(key, True)

    def announce(self, info: PeerInfo) -> None:
        """Show a new info, after an agent lost or gained a modality."""
        self._own = replace(info, created_ns=time.time_ns())
        text = write_info(self._own, self._identity)
        self._transport.announce(
            [self._keys.alive(modality, info.name, text) for modality in info.modalities]
        )
        self._change()

    def leave(self) -> None:
        """Be seen no more; others go on without this agent."""
        self._transport.announce([])

    def view(self) -> dict[str, PeerInfo]:
        """The living by name, this agent included, each with its latest info.

        Those that differ in a term are left out: with them nothing is exchanged.
        """
        assert self._own is not None, "join comes first"
        with self._changed:
            others = {
                name: max(infos.values(), key=lambda info: info.created_ns)
                for name, infos in self._tokens.items()
                if infos and name != self._own.name
            }
        alike = {name: info for name, info in others.items() if not self._differences(info)}
        return {**alike, self._own.name: self._own}

    def differing(self) -> dict[str, list[str]]:
        """Everybody who was ever seen with other terms, with what differs; also who has left."""
        with self._changed:
            return dict(self._differing)

    def _differences(self, info: PeerInfo) -> list[str]:
        assert self._own is not None, "join comes first"
        own = self._own
        if info.name == own.name or info.terms == own.terms:
            return []
        return differences(own.terms, info.terms, me=own.name, them=info.name)

    def wait(self, until: Callable[[dict[str, PeerInfo]], bool], *, timeout_s: float) -> bool:
        """Wait for the view to be as asked; whether it is."""
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
            if len(self._differing) < MOST_DIFFERING and (found := self._differences(info)):
                self._differing[name] = found
        self._change()

    def _read(self, text: str) -> PeerInfo | None:
        try:
            return read_info(
                text,
                federation=self._keys.federation,
                authority=self._authority,
                now=time.time(),
            )
        except Rejected:
            return None

    def _change(self) -> None:
        with self._changed:
            self.version += 1
            self._changed.notify_all()
