"""Keep a peer's status round by round, for its reporter and for whoever asks.

Asking needs no torch: ``node status`` answers within a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from threading import Condition
from typing import TYPE_CHECKING, Any, Protocol

from parse_dfl.peers.authority import Authority, Rejected
from parse_dfl.peers.certificates import is_name
from parse_dfl.peers.identity import Signer, seal, unseal
from parse_dfl.peers.round_sync import RoundStats
from parse_dfl.peers.transport import Topics, Transport

if TYPE_CHECKING:
    from parse_dfl.engine.trainer import Trainer
    from parse_dfl.peers.exchange import PeerExchanger
    from parse_dfl.peers.validation import MessageValidator

Status = Mapping[str, Any]

ABOUT = "status"
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 0.8
"""Before asking again: connections take some 20 ms, and in a large federation answers add up."""

MOST_LIVING = 512
"""Names that a status tells; more would not fit."""


def ask_all(
    transport: Transport,
    federation: str,
    authority: Authority | None,
    *,
    timeout_s: float,
    wanted: Iterable[str] | None = None,
) -> dict[str, Status]:
    """Return the status of every peer that answers in time, by name; forged ones are left out.

    Peers do not relay, and connections to further ones come up one by one.  So the question is
    repeated until all have answered that are ``wanted``: given, or those whom a peer that has
    answered holds for alive.
    """
    answers = _Answers(federation, authority, wanted)
    everybody, end = Topics(federation).status(), time.monotonic() + timeout_s
    pause_s = FIRST_PAUSE_S
    while not answers.complete() and (left := end - time.monotonic()) > 0:
        transport.ask(everybody, answers.take, timeout_s=left)
        answers.wait(min(pause_s, left))
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
    return answers.statuses()


class _Answers:
    """Answers so far; filled by a thread of the network's."""

    def __init__(
        self, federation: str, authority: Authority | None, wanted: Iterable[str] | None
    ) -> None:
        self._federation, self._authority = federation, authority
        self._wanted = None if wanted is None else frozenset(wanted)
        self._statuses: dict[str, Status] = {}
        self._changed = Condition()

    def take(self, key: str, record: bytes) -> None:
        try:
            status = unseal(
                ABOUT,
                record,
                federation=self._federation,
                authority=self._authority,
                now=time.time(),
            )
        except Rejected:
            return
        if key == Topics(self._federation).status(status["name"]):
            with self._changed:
                self._statuses[status["name"]] = status
                self._changed.notify_all()

    def wait(self, timeout_s: float) -> None:
        with self._changed:
            self._changed.wait_for(self._all, timeout_s)

    def complete(self) -> bool:
        with self._changed:
            return self._all()

    def statuses(self) -> dict[str, Status]:
        with self._changed:
            return dict(self._statuses)

    def _all(self) -> bool:
        if self._wanted is not None:
            return self._wanted <= self._statuses.keys()
        return bool(self._statuses) and living_of(self._statuses) <= self._statuses.keys()


def living_of(statuses: Mapping[str, Status]) -> set[str]:
    """Return all agents that any of those that answered holds for alive."""
    lists = [status.get("living") for status in statuses.values()]
    return {
        name
        for names in lists
        if isinstance(names, list)
        for name in names[:MOST_LIVING]
        if isinstance(name, str) and is_name(name)
    }


def round_of(status: Status) -> int:
    """Return the round that a peer says it has finished; 0 if it says nothing sensible."""
    round = status.get("round")
    return round if type(round) is int and round >= 0 else 0


def rounds_of(statuses: Mapping[str, Status]) -> list[int]:
    """Return the rounds that peers have finished, in which others may join them.

    Agents that have diverged are left out: they wait for nobody and soon are at the last round.
    """
    return [round_of(status) for status in statuses.values() if status.get("diverged") is not True]


def agreed_of(statuses: Mapping[str, Status]) -> set[str]:
    """Return the peers that have agreed on the standardisation."""
    return {name for name, status in statuses.items() if status.get("agreed") is True}


def same_living(statuses: Mapping[str, Status], living: Collection[str], *, me: str) -> bool:
    """Return whether all others of the ``living`` have answered, and hold the same for alive.

    Those that have agreed on the standardisation need not: they agree with nobody else.
    """
    others, names = set(living) - {me}, sorted(living)[:MOST_LIVING]
    waiting = others - agreed_of(statuses)
    return others <= statuses.keys() and all(
        statuses[name].get("living") == names for name in waiting
    )


@dataclass(frozen=True, kw_only=True)
class RoundReport:
    """One round of one peer; ``scores`` are there when it was evaluated."""

    round: int
    rounds: int
    seconds: float
    stats: RoundStats
    sent_bytes: int
    received_bytes: int
    refused: int
    scores: Mapping[str, float] | None = None

    def __str__(self) -> str:
        """Return a line: ``round 7/100  0.12 s  4 neighbours  sent 81.0 kB …``."""
        neighbours = {name for names in self.stats.neighbours.values() for name in names}
        parts = [
            f"round {self.round}/{self.rounds}",
            f"{self.seconds:.2f} s",
            f"{len(neighbours)} neighbours",
            f"sent {self.sent_bytes / 1000:.1f} kB",
            f"received {self.received_bytes / 1000:.1f} kB",
        ]
        if self.stats.missing:
            parts.append(f"missing {', '.join(sorted(self.stats.missing))}")
        if self.refused:
            parts.append(f"refused {self.refused}")
        if self.scores:
            parts.append(f"accuracy {100 * self.scores['accuracy']:.1f} %")
        return "  ".join(parts)


class Reporter(Protocol):
    """A listener to a node."""

    def round(self, report: RoundReport) -> None:
        """Take the report of a round that is over."""

    def agreed(self, payload_bytes: Mapping[str, int]) -> None:
        """Take the bytes that agreeing on the standardisation has sent, by receiver."""

    def note(self, text: str) -> None:
        """Take a line that a person should read now."""


class StatusPublisher:
    """Publishes how one agent is."""

    def __init__(
        self,
        trainer: Trainer,
        exchanger: PeerExchanger,
        validator: MessageValidator,
        identity: Signer,
        reporter: Reporter,
        living: Callable[[], Collection[str]],
    ) -> None:
        self._trainer, self._exchanger, self._validator = trainer, exchanger, validator
        self._identity, self._reporter = identity, reporter
        self._living = living
        self._accuracy: float | None = None
        self.agreed = False
        """Whether the agent knows by what agreed moments its samples are standardised."""
        self._status: Status = {}

    def begin(self) -> None:
        """Publish what is known before the first round."""
        self._status = self._state(None, diverged=False)

    def round(
        self,
        stats: RoundStats,
        scores: Mapping[str, float] | None,
        seconds: float,
        *,
        diverged: bool = False,
    ) -> None:
        """Publish a round that took so long, and report it."""
        self._accuracy = scores["accuracy"] if scores else self._accuracy
        self._status = self._state(stats, diverged=diverged)
        self._reporter.round(
            RoundReport(
                round=self._trainer.round,
                rounds=self._trainer.training.rounds,
                seconds=seconds,
                stats=stats,
                sent_bytes=self._status["sent_bytes"],
                received_bytes=self._status["received_bytes"],
                refused=_count(self._status["validator"]),
                scores=scores,
            )
        )

    def answer(self, key: str) -> bytes:  # noqa: ARG002
        """Return the status, signed, for one who asks."""
        living = sorted(self._living())[:MOST_LIVING]
        return seal(
            ABOUT, {**self._status, "living": living, "agreed": self.agreed}, self._identity
        )

    def _state(self, stats: RoundStats | None, *, diverged: bool) -> Status:
        return {
            "round": self._trainer.round,
            "rounds": self._trainer.training.rounds,
            "modalities": list(self._trainer.layout.stacks[0].agents[0].modalities),
            "neighbours": dict(stats.neighbours) if stats else {},
            "staleness": dict(stats.staleness) if stats else {},
            "missing": sorted(stats.missing) if stats else [],
            "sent_bytes": self._exchanger.outbox.sent_bytes,
            "received_bytes": self._exchanger.arrivals.received_bytes,
            "validator": self._validator.report(time.time()),
            "accuracy": self._accuracy,
            "diverged": diverged,
        }


def _count(report: Mapping[str, Any]) -> int:
    """Count the refused messages in a validator's report."""
    accounts = [*report["refused"].values(), *report["unverified"].values()]
    return sum(sum(account.values()) for account in accounts)
