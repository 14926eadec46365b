"""Receiving: the newest messages of each neighbour, validated and made ready for mixing."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from threading import Condition

from torch import Tensor

from parse_dfl.config import PeerConfig
from parse_dfl.peers.membership import Membership
from parse_dfl.peers.messages import Header
from parse_dfl.peers.neighbours import Neighbours
from parse_dfl.peers.rejection import Reason
from parse_dfl.peers.topics import Topics
from parse_dfl.peers.transport import Transport
from parse_dfl.peers.validation import MessageValidator

Slot = tuple[str, str]
"""(sender, branch)"""


class Inbox:
    """Raw messages, as the network's threads put them in; the newest few of each slot.

    Only keys that were subscribed to arrive, so the number of slots is bounded as well.
    """

    def __init__(self, changed: Condition, *, newest: int) -> None:
        self._changed, self._newest = changed, newest
        self._raw: dict[Slot, deque[bytes]] = {}
        self._answered: dict[Slot, int] = {}
        self.received_bytes = 0

    def was_answered(self, slot: Slot, round: int) -> bool:
        """Whether the question for the slot's message of a round was answered."""
        return self._answered.get(slot) == round

    def take(self, key: str, payload: bytes) -> None:
        """Keep a message that arrived under ``key``."""
        slot, round = Topics.sender(key), Topics.asked_round(key)
        with self._changed:
            self._raw.setdefault(slot, deque(maxlen=self._newest)).append(payload)
            if round is not None:
                self._answered[slot] = round
            self.received_bytes += len(payload)
            self._changed.notify_all()

    def drain(self) -> list[tuple[Slot, bytes]]:
        """Everything that has arrived since the last call."""
        with self._changed:
            found = [(slot, raw) for slot, queue in self._raw.items() for raw in queue]
            self._raw.clear()
        return found

    def wait(self, timeout_s: float) -> None:
        """Wait for a message, or for anything else that is told under the same condition."""
        with self._changed:
            if not self._raw:
                self._changed.wait(max(0.0, timeout_s))


@dataclass(frozen=True)
class State:
    """A neighbour's state of a branch; ``arrived`` is the own round in which it came."""

    header: Header
    tensors: Mapping[str, Tensor]
    arrived: int


class States:
    """The states that were accepted, the newest few of each slot."""

    def __init__(self, *, newest: int) -> None:
        self._newest = newest
        self._known: dict[Slot, deque[State]] = {}

    def add(self, state: State) -> None:
        """Keep a state; of two of one round the later one."""
        slot = (state.header.sender, state.header.branch)
        states = self._known.setdefault(slot, deque(maxlen=self._newest))
        for old in [each for each in states if each.header.round == state.header.round]:
            states.remove(old)
        states.append(state)

    def at(self, sender: str, branch: str, round: int) -> State | None:
        """The sender's state of ``round``; of one that is further on, its earliest since."""
        states = self._known.get((sender, branch), ())
        later = [state for state in states if state.header.round >= round]
        return min(later, key=lambda state: state.header.round, default=None)

    def newest(self, sender: str, branch: str) -> State | None:
        """What arrived last of the sender."""
        states = self._known.get((sender, branch))
        return states[-1] if states else None

    def last_round(self, sender: str) -> int:
        """The latest round of any state of the sender; 0: there is none."""
        rounds = [
            state.header.round
            for (name, _), states in self._known.items()
            for state in states
            if name == sender
        ]
        return max(rounds, default=0)

    def keep(self, slots: Collection[Slot]) -> None:
        """Forget all but these slots."""
        self._known = {slot: states for slot, states in self._known.items() if slot in slots}


ASK_NEW_S, ASK_KNOWN_S = 0.25, 1.0
"""After so long a neighbour is asked for a message that has not come: one that it sent before it
heard of the subscription is lost.  Sooner if it was never heard of; the pause doubles each time."""

LOOK_ROUND_S = 0.2
"""So often a waiting peer looks whether those that it waits for are still there."""


class Receiver:
    """The receiving half of a peer's exchange."""

    def __init__(
        self,
        transport: Transport,
        membership: Membership,
        validator: MessageValidator,
        keys: Topics,
        own: str,
        changed: Condition,
        settings: PeerConfig,
    ) -> None:
        self._transport, self._membership, self._guard = transport, membership, validator
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
