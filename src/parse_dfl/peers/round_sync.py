"""Synchronise rounds: which one to be in, how fast to go, whose rounds count, when to stop.

Rounds drift apart when an agent hangs, or while the network is cut.  Beyond the window messages
are rejected on either side, so that somebody has to move, or they never meet again.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import TIMEOUT_MAX
from typing import TYPE_CHECKING, Protocol

from parse_dfl.peers.authority import Reason, Rejected

if TYPE_CHECKING:
    from parse_dfl.config import PeerConfig
    from parse_dfl.engine.trainer import Trainer
    from parse_dfl.peers.messages import Header


@dataclass(kw_only=True)
class RoundStats:
    """Figures of one round's exchange of one peer.

    ``payload_bytes`` counts numbers as float32 without framing, by receiver; ``neighbours`` are
    the senders by branch; ``rounds`` is how far each of them was when last heard of.  ``missing``
    are those whose state did not come in time: their weight went to the own row.  ``staleness`` is
    by how many rounds the states that were mixed were behind; at asynchronous pace, how many own
    rounds ago they came.  ``lockstep_lead`` is by how many rounds a neighbour can be ahead while
    all is well, ``refused_for_round`` how many messages were of rounds too far away to be taken.
    """

    round: int
    payload_bytes: Mapping[str, int] = field(default_factory=dict)
    neighbours: Mapping[str, list[str]] = field(default_factory=dict)
    rounds: Mapping[str, int] = field(default_factory=dict)
    lockstep_lead: int = 0
    refused_for_round: int = 0
    staleness: dict[str, int] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)

    @property
    def out_of_step(self) -> bool:
        """Whether most neighbours have gone on, or some are missing and others too far away."""
        ahead = [far for far in self.rounds.values() if far > self.round + self.lockstep_lead]
        return 2 * len(ahead) > len(self.rounds) or bool(self.refused_for_round and self.missing)


class RoundPacer:
    """The pause after a round, so that a round lasts ``least_round_s`` seconds at least.

    It counts from the end of an exchange to the beginning of the next.  In lockstep all end an
    exchange at about the same time, when the slowest has sent; so whoever pauses from then on, as
    the others do, keeps nobody waiting.  Counted from the beginning of a round, early ones would
    wait for late ones in every round anew.
    """

    def __init__(
        self, least_round_s: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._least_round_s, self._clock = least_round_s, clock
        self._begin_at = float("-inf")

    def exchanged(self, *, trained_s: float) -> None:
        """Start the pause after an exchange; the training before it took ``trained_s``, and so
        will the next."""
        self._begin_at = self._clock() + self._least_round_s - trained_s

    def pause_s(self) -> float:
        """Return the seconds that are left to the beginning of the next round."""
        return max(0.0, self._begin_at - self._clock())


def common_round(current: int, others: Iterable[int]) -> int:
    """Return the round in which all should be: the (upper) median, the own one counted as well.

    Agents that know of the same rounds agree on it, and it lies between rounds of honest agents
    while the attackers are fewer than half.
    """
    return statistics.median_high([current, *others])


class RoundSync:
    """Keep a trainer in the round of the others.

    Args:
        trainer: who is moved.
        ask: asks the living how far they are; it may take seconds.
        note: hears of every move.
        window: so many rounds ahead of the others are no reason to go back.
        pause_s: after a question that moved nobody, the next is asked only after so long.
        clock: seconds.
    """

    def __init__(
        self,
        trainer: Trainer,
        *,
        ask: Callable[[], Sequence[int]],
        note: Callable[[str], None],
        window: int,
        pause_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._trainer, self._ask, self._note = trainer, ask, note
        self._window, self._pause_s, self._clock = window, pause_s, clock
        self._quiet_until = float("-inf")

    def catch_up(self) -> None:
        """Go to the round of the others if that is further on."""
        self._advance(self._target())

    def keep(self, stats: RoundStats) -> None:
        """Move to the others' round, after one of this agent's, if they are ahead or far behind."""
        if not stats.out_of_step or self._clock() < self._quiet_until:
            return
        target = self._target()
        if not (self._advance(target) or self._return(target)):
            self._quiet_until = self._clock() + self._pause_s

    def _advance(self, target: int) -> bool:
        current = self._trainer.round
        if target > current:
            self._note(f"goes from round {current} to {target}, to the others")
            self._trainer.skip_to(target)
        return self._trainer.round != current

    def _return(self, target: int) -> bool:
        current = self._trainer.round
        if target < current - self._window:
            self._trainer.return_to(target)
            self._note(f"ran ahead alone: returns from round {current} to {self._trainer.round}")
        return self._trainer.round != current

    def _target(self) -> int:
        common = common_round(self._trainer.round, self._ask())
        return min(common, self._trainer.training.rounds)


class RoundFilter(Protocol):
    """The rule by which messages are taken or rejected for their round."""

    def check(self, header: Header, round: int) -> None:
        """Check that an agent in ``round`` may take the message.

        Raises:
            Rejected: it may not (``round``).
        """
        ...

    def accepted(self, header: Header) -> None:
        """Remember a message that was good in all respects."""
        ...


@dataclass(frozen=True, kw_only=True)
class RoundWindow:
    """Take so many rounds behind one's own, and so many ahead: synchronous rounds."""

    behind: int
    ahead: int

    def check(self, header: Header, round: int) -> None:
        """Check as :meth:`RoundFilter.check` says."""
        if not -self.behind <= header.round - round <= self.ahead:
            raise Rejected(Reason.ROUND, f"round {header.round}, where this agent is in {round}")

    def accepted(self, header: Header) -> None:
        """Remember nothing."""


class NewerRounds:
    """Take only what is later than all that was accepted of the sender's branch: own pace.

    Rounds of different agents say nothing about each other there, however far apart.  Those of one
    agent only grow, but when it starts again from a checkpoint: ``started_ms`` is later then.  So
    no old message counts twice.  Memory is bounded as the validator's is: only signed senders and
    branches that are expected get here.
    """

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], tuple[int, int]] = {}

    def check(self, header: Header, round: int) -> None:  # noqa: ARG002
        """Check as :meth:`RoundFilter.check` says."""
        last = self._last.get((header.sender, header.branch))
        if last is not None and (header.started_ms, header.round) <= last:
            raise Rejected(Reason.ROUND, f"round {header.round}, after round {last[1]} had come")

    def accepted(self, header: Header) -> None:
        """Take nothing from before it any more."""
        self._last[header.sender, header.branch] = (header.started_ms, header.round)


def round_filter(settings: PeerConfig) -> RoundFilter:
    """Return the filter that suits the pace."""
    if settings.pace == "asynchronous":
        return NewerRounds()
    return RoundWindow(behind=settings.window, ahead=settings.window)


class Stop:
    """A request to stop, and after which round."""

    def __init__(self) -> None:
        self._after: int | None = None
        self._held = False
        self._calls: SimpleQueue[None] = SimpleQueue()  # may be put into by a signal's handler

    @property
    def asked(self) -> bool:
        """Whether it was asked for, now or later."""
        return self._after is not None

    def ask(self, after_round: int = 0) -> None:
        """Stop once ``after_round`` is done; 0: after the round under way."""
        self._after = after_round
        self._held = False
        self._calls.put(None)

    def hold(self) -> None:
        """Let no other round begin until it is said after which one to stop."""
        self._held = True
        self._calls.put(None)

    def due(self, done: int) -> bool:
        """Return whether to stop after ``done`` rounds."""
        return self._after is not None and done >= self._after

    def due_within(self, seconds: float, *, done: int) -> bool:
        """Return whether it is due after ``done`` rounds, now or in so many seconds.

        It waits for as long, longer while it is held, and returns at once when it is due.
        """
        end = time.monotonic() + seconds
        while not self.due(done) and (self._held or time.monotonic() < end):
            left = TIMEOUT_MAX if self._held else end - time.monotonic()
            with suppress(Empty):
                self._calls.get(timeout=min(max(0.0, left), TIMEOUT_MAX))
        return self.due(done)
