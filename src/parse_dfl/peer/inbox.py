"""What has arrived: the newest messages of each neighbour and branch, in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from threading import Condition

from torch import Tensor

from parse_dfl.peer.keys import Keys
from parse_dfl.peer.wire import Header

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
        slot, round = Keys.sender(key), Keys.asked_round(key)
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
