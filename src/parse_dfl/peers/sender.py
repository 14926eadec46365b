"""What leaves: a message per branch and neighbour, signed once, kept for whoever asks again."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock

from torch import Tensor

from parse_dfl.methods.base import EDGE, Sent
from parse_dfl.peers.identity import Signer
from parse_dfl.peers.message_schema import Schema
from parse_dfl.peers.messages import Header, encode
from parse_dfl.peers.neighbours import Neighbours
from parse_dfl.peers.topics import Topics
from parse_dfl.peers.transport import Transport

Tensors = Mapping[str, Tensor]


@dataclass
class _Kept:
    """A message and when it was handed to the network; None: nobody listened."""

    message: bytes
    pushed: float | None = None


class Sender:
    """Encodes and sends the messages of one agent."""

    def __init__(
        self,
        transport: Transport,
        keys: Topics,
        identity: Signer,
        *,
        kept_rounds: int,
        resend_s: float,
    ) -> None:
        """``kept_rounds``: for so long messages are kept.  ``resend_s``: one that was sent is sent
        again, to who asks, only after so long: until then it is on its way."""
        self._kept_rounds, self._resend_s = kept_rounds, resend_s
        self._transport, self._keys, self._identity = transport, keys, identity
        self._kept: dict[tuple[str, str], dict[int, _Kept]] = {}
        self.started_ms = time.time_ns() // 1_000_000
        """When this process began, in milliseconds since 1970, and never before its last one."""
        self._lock = Lock()
        self.sent_bytes = 0
        transport.answer(keys.asked_again(identity.name), self._again)

    def post(
        self,
        place: Neighbours,
        sent: Sent,
        extra: Tensors,
        *,
        round: int,
        samples: int,
    ) -> None:
        """Send one branch to its receivers.

        Args:
            place: who they are.
            sent: what the exchange rule sends, its rows (own, receivers...), its edges own → each.
            extra: tensors that go along.
            round: this agent's round.
            samples: its number of training samples.
        """
        alike = {name: value[0] for name, value in sent.items() if not name.startswith(EDGE)}
        apart = {name: value for name, value in sent.items() if name.startswith(EDGE)}
        message = b""
        for number, receiver in enumerate(place.receivers):
            if apart or not message:
                own = {name: value[number] for name, value in apart.items()}
                message = self._encode(place, {**alike, **own, **extra}, round, samples)
            kept = self._keep(receiver.name, str(place.branch), round, message)
            key = self._keys.slice(
                to=receiver.name, sender=self._identity.name, branch=str(place.branch)
            )
            if self._transport.send(key, message):
                kept.pushed = time.monotonic()
                self.sent_bytes += len(message)

    def _encode(self, place: Neighbours, tensors: Tensors, round: int, samples: int) -> bytes:
        header = Header(
            federation=self._identity.federation,
            sender=self._identity.name,
            branch=str(place.branch),
            label=place.label,
            round=round,
            degree=place.degree,
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
        """Forget what was sent so long ago that nobody in lockstep can still miss it."""
        oldest = round - self._kept_rounds + 1
        with self._lock:
            young = {
                pair: {number: message for number, message in kept.items() if number >= oldest}
                for pair, kept in self._kept.items()
            }
            self._kept = {pair: kept for pair, kept in young.items() if kept}

    def _again(self, key: str) -> bytes | None:
        """The message of the round that is asked for, or the next one that there is."""
        try:
            receiver, branch, round = self._keys.question(key)
        except ValueError:
            return None
        now = time.monotonic()
        with self._lock:
            kept = self._kept.get((receiver, branch), {})
            later = [each for each in kept if each >= round]
            if not later:
                return None
            found = kept[min(later)]
            if found.pushed is not None and now - found.pushed < self._resend_s:
                return None
            found.pushed = now
            self.sent_bytes += len(found.message)
            return found.message
