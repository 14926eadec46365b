"""What comes in: wanted, waited for, judged, and kept for mixing."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from threading import Condition

from parse_dfl.peer.config import PeerConfig
from parse_dfl.peer.guard import Guard
from parse_dfl.peer.inbox import Inbox, Slot, State, States
from parse_dfl.peer.keys import Keys
from parse_dfl.peer.membership import Membership
from parse_dfl.peer.neighbours import Neighbours
from parse_dfl.peer.refusals import Reason
from parse_dfl.peer.transport import Transport

ASK_NEW_S, ASK_KNOWN_S = 0.25, 1.0
"""After so long a neighbour is asked for a message that has not come: one that it sent before it
heard of the subscription is lost.  Sooner if it was never heard of; the pause doubles each time."""

LOOK_ROUND_S = 0.2
"""So often a waiting peer looks whether those that it waits for are still there."""


class Arrivals:
    """The receiving half of a peer's exchange."""

    def __init__(
        self,
        transport: Transport,
        membership: Membership,
        guard: Guard,
        keys: Keys,
        own: str,
        changed: Condition,
        settings: PeerConfig,
    ) -> None:
        self._transport, self._membership, self._guard = transport, membership, guard
        self._keys, self._own, self._changed, self._settings = keys, own, changed, settings
        self._inbox = Inbox(changed, newest=settings.window)
        self.states = States(newest=settings.window)
        self.late: set[str] = set()
        """Neighbours that let a deadline pass: not waited for until they are heard of again.

        They are sent to all the same: of two that are late to each other, each must hear of the
        other first."""
        self.refused_for_round = 0
        """Messages refused since the last :meth:`want`, because they are of rounds far away."""

    @property
    def received_bytes(self) -> int:
        """All that has come in, refused messages included."""
        return self._inbox.received_bytes

    def want(self, places: Sequence[Neighbours]) -> None:
        """Listen to the neighbours' keys of the wanted branches, and to nothing else."""
        slots = {(name, str(each.branch)) for each in places for name in each.audible}
        self.refused_for_round = 0
        self.states.keep(slots)
        self._transport.listen(
            [self._keys.slice(to=self._own, sender=name, branch=branch) for name, branch in slots],
            self._inbox.take,
        )

    def wait(self, places: Sequence[Neighbours], round: int, *, lead: int) -> None:
        """Wait until every neighbour's state of the round is there, at most to the deadline, which
        leaves room for a neighbour's pause.

        Whoever has left, or let the last deadline pass, is not waited for.  ``lead`` is by how
        many rounds a neighbour can be ahead that has sent this round's state as well.
        """
        begin = time.monotonic()
        slots = {(agent.name, str(each.branch)) for each in places for agent in each.senders}
        known = all(self.states.newest(*slot) for slot in slots)
        pause = ASK_KNOWN_S if known else ASK_NEW_S
        ask_at = begin + pause
        while missing := self._missing(slots, round, lead):
            now = time.monotonic()
            left = self._settings.longest_wait_s - (now - begin)
            if left <= 0:
                self.late |= {sender for sender, _ in missing}
                return
            if now >= ask_at:
                self._ask_again(missing, round)
                pause *= 2
                ask_at = now + pause
            self._inbox.wait(min(ask_at - now, left, LOOK_ROUND_S))

    def _missing(self, slots: Collection[Slot], round: int, lead: int) -> list[Slot]:
        """The slots to wait for.

        A neighbour that is little ahead has sent this round's state as well: if that was lost, it
        is asked for, and the later one is taken only if the answer is the later one.
        """
        self.sort_in(round)
        missing = []
        for slot in slots:
            state = self.states.at(*slot, round)
            ahead = state.header.round - round if state else 0
            if state is None or (0 < ahead <= lead and not self._inbox.was_answered(slot, round)):
                missing.append(slot)
        if not missing:
            return []
        living = self._membership.view()
        return [slot for slot in missing if slot[0] in living and slot[0] not in self.late]

    def _ask_again(self, slots: Collection[Slot], round: int) -> None:
        for sender, branch in slots:
            key = self._keys.again(sender=sender, to=self._own, branch=branch, round=round)
            self._transport.ask(key, self._inbox.take, timeout_s=self._settings.deadline_s)

    def sort_in(self, round: int) -> None:
        """Judge what has arrived, and keep what is good."""
        for (sender, branch), raw in self._inbox.drain():
            verdict = self._guard.judge(raw, round=round, now=time.time(), sender=sender)
            if verdict.accepted and verdict.header and verdict.header.branch == branch:
                self.states.add(State(verdict.header, verdict.tensors, arrived=round))
                if verdict.header.round >= round - 1:
                    self.late.discard(sender)
            elif verdict.reason is Reason.ROUND:
                self.refused_for_round += 1

    def rounds(self, senders: Collection[str]) -> dict[str, int]:
        """How far each of the senders was when it was last heard of."""
        return {name: known for name in senders if (known := self.states.last_round(name))}
