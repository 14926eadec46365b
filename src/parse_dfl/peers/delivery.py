"""Deliver messages: send, keep for whoever asks again, receive, validate and sort.

Every message of a branch is addressed to one neighbour.  What got lost, because it was sent before
the receiver's subscription was heard of, is asked for; what came too early waits for its round.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from threading import Condition, Lock

from torch import Tensor

from parse_dfl.branches import Branch
from parse_dfl.config import PeerConfig
from parse_dfl.methods.base import EDGE, Messages
from parse_dfl.peers.authority import Reason
from parse_dfl.peers.identity import Signer
from parse_dfl.peers.membership import Membership, Neighbours
from parse_dfl.peers.messages import Header, Schema, encode
from parse_dfl.peers.transport import Topics, Transport
from parse_dfl.peers.validation import MessageValidator

Tensors = Mapping[str, Tensor]


@dataclass
class _Kept:
    """A message, and when it was handed to the network; None: nobody listened."""

    message: bytes
    pushed: float | None = None


class Sender:
    """Encodes and sends the messages of one agent."""

    def __init__(
        self,
        transport: Transport,
        topics: Topics,
        identity: Signer,
        *,
        kept_rounds: int,
        resend_s: float,
    ) -> None:
        """Keep messages for ``kept_rounds``, and resend one on request only ``resend_s`` seconds
        after it was sent: until then it is on its way."""
        self._kept_rounds, self._resend_s = kept_rounds, resend_s
        self._transport, self._topics, self._identity = transport, topics, identity
        self._kept: dict[tuple[str, str], dict[int, _Kept]] = {}
        self._held: dict[str, bytes] = {}
        self.started_ms = time.time_ns() // 1_000_000
        """When this process began, in milliseconds since 1970, and never before its last one."""
        self._lock = Lock()
        self.sent_bytes = 0
        transport.answer(topics.asked_again(identity.name), self._again)

    def post(
        self,
        neighbours: Neighbours,
        sent: Messages,
        extra: Tensors,
        *,
        round: int,
        samples: int,
    ) -> None:
        """Send one branch to its receivers.

        Args:
            neighbours: who they are.
            sent: what the exchange rule sends, its rows (own, receivers...), its edges own → each.
            extra: tensors that go along.
            round: this agent's round.
            samples: its number of training samples.
        """
        alike = {name: value[0] for name, value in sent.items() if not name.startswith(EDGE)}
        apart = {name: value for name, value in sent.items() if name.startswith(EDGE)}
        branch, message = neighbours.branch, b""
        for number, receiver in enumerate(neighbours.receivers):
            if apart or not message:
                for_receiver = {name: value[number] for name, value in apart.items()}
                tensors = {**alike, **for_receiver, **extra}
                message = self._encode(
                    branch, neighbours.label, tensors, round, samples, degree=neighbours.degree
                )
            kept = self._keep(receiver.name, str(branch), round, message)
            key = self._topics.slice(
                to=receiver.name, sender=self._identity.name, branch=str(branch)
            )
            if self._transport.send(key, message):
                kept.pushed = time.monotonic()
                self.sent_bytes += len(message)

    def hold(self, branch: Branch, tensors: Tensors, *, round: int, samples: int) -> None:
        """Keep a message for whoever asks for it, from now on."""
        message = self._encode(branch, branch.modality, tensors, round, samples, degree=0)
        with self._lock:
            self._held[str(branch)] = message

    def _encode(
        self,
        branch: Branch,
        label: str,
        tensors: Tensors,
        round: int,
        samples: int,
        *,
        degree: int,
    ) -> bytes:
        header = Header(
            federation=self._identity.federation,
            sender=self._identity.name,
            branch=str(branch),
            label=label,
            round=round,
            degree=degree,
            samples=samples,
            schema=Schema.of(tensors).digest,
            started_ms=self.started_ms,
        )
        return encode(header, tensors, self._identity)

    def _keep(self, receiver: str, branch: str, round: int, message: bytes) -> _Kept:
        kept = _Kept(message)
        with self._lock:
            self._kept.setdefault((receiver, branch), {})[round] = kept
        return kept

    def forget_before(self, round: int) -> None:
        """Forget messages of rounds so long ago that nobody in lockstep can still need them."""
        oldest = round - self._kept_rounds + 1
        with self._lock:
            young = {
                pair: {number: message for number, message in kept.items() if number >= oldest}
                for pair, kept in self._kept.items()
            }
            self._kept = {pair: kept for pair, kept in young.items() if kept}

    def _again(self, key: str) -> bytes | None:
        """Return the message of the round that is asked for, or the next one that there is."""
        try:
            receiver, branch, round = self._topics.question(key)
        except ValueError:
            return None
        now = time.monotonic()
        with self._lock:
            kept = self._kept.get((receiver, branch), {})
            later = [number for number in kept if number >= round]
            if not later:
                return self._held.get(branch)
            resent = kept[min(later)]
            if resent.pushed is not None and now - resent.pushed < self._resend_s:
                return None
            resent.pushed = now
            self.sent_bytes += len(resent.message)
            return resent.message


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
        """Return whether the question for the slot's message of a round was answered."""
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
        """Return everything that has arrived since the last call."""
        with self._changed:
            arrived = [(slot, raw) for slot, queue in self._raw.items() for raw in queue]
            self._raw.clear()
        return arrived

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
        self._states: dict[Slot, deque[State]] = {}

    def add(self, state: State) -> None:
        """Keep a state; of two of one round the later one."""
        slot = (state.header.sender, state.header.branch)
        states = self._states.setdefault(slot, deque(maxlen=self._newest))
        for old in [old for old in states if old.header.round == state.header.round]:
            states.remove(old)
        states.append(state)

    def at(self, sender: str, branch: str, round: int) -> State | None:
        """Return the sender's state of ``round``; of one that is further on, its earliest since."""
        states = self._states.get((sender, branch), ())
        later = [state for state in states if state.header.round >= round]
        return min(later, key=lambda state: state.header.round, default=None)

    def newest(self, sender: str, branch: str) -> State | None:
        """Return the sender's latest state; None if there is none."""
        states = self._states.get((sender, branch))
        return states[-1] if states else None

    def last_round(self, sender: str) -> int:
        """Return the latest round of any state of the sender; 0: there is none."""
        rounds = [
            state.header.round
            for (name, _), states in self._states.items()
            for state in states
            if name == sender
        ]
        return max(rounds, default=0)

    def keep(self, slots: Collection[Slot]) -> None:
        """Forget all but these slots."""
        self._states = {slot: states for slot, states in self._states.items() if slot in slots}


ASK_NEW_S, ASK_HEARD_S = 0.25, 1.0
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
        topics: Topics,
        name: str,
        changed: Condition,
        settings: PeerConfig,
    ) -> None:
        self._transport, self._membership, self._validator = transport, membership, validator
        self._topics, self._name, self._settings = topics, name, settings
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

    def want(self, neighbours: Sequence[Neighbours]) -> None:
        """Listen to the neighbours' keys of the wanted branches, and to nothing else."""
        slots = {(name, str(of.branch)) for of in neighbours for name in of.audible}
        self.refused_for_round = 0
        self.states.keep(slots)
        self._transport.listen(
            [
                self._topics.slice(to=self._name, sender=name, branch=branch)
                for name, branch in slots
            ],
            self._inbox.take,
        )

    def wait(self, neighbours: Sequence[Neighbours], round: int, *, lead: int) -> None:
        """Wait until every neighbour's state of the round is there, at most to the deadline, which
        leaves room for a neighbour's pause.

        Whoever has left, or let the last deadline pass, is not waited for.  ``lead`` is by how
        many rounds a neighbour can be ahead that has sent this round's state as well.
        """
        begin = time.monotonic()
        slots = {(agent.name, str(of.branch)) for of in neighbours for agent in of.senders}
        heard = all(self.states.newest(*slot) for slot in slots)
        pause = ASK_HEARD_S if heard else ASK_NEW_S
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
        """Return the slots to wait for.

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
            key = self._topics.again(sender=sender, to=self._name, branch=branch, round=round)
            self._transport.ask(key, self._inbox.take, timeout_s=self._settings.deadline_s)

    def sort_in(self, round: int) -> None:
        """Validate all messages that have arrived, and keep the valid ones."""
        for (sender, branch), raw in self._inbox.drain():
            result = self._validator.validate(raw, round=round, now=time.time(), sender=sender)
            if result.accepted and result.header and result.header.branch == branch:
                self.states.add(State(result.header, result.tensors, arrived=round))
                if result.header.round >= round - 1:
                    self.late.discard(sender)
            elif result.reason is Reason.ROUND:
                self.refused_for_round += 1

    def rounds(self, senders: Collection[str]) -> dict[str, int]:
        """Return the latest round of each sender that was heard of."""
        return {name: round for name in senders if (round := self.states.last_round(name))}
