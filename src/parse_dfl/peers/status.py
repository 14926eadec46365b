"""A peer's status: counted round by round, told to its reporter and to whoever asks."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from threading import Condition
from typing import Any, Protocol

from parse_dfl.engine.evaluation import parameters_are_finite
from parse_dfl.engine.trainer import Trainer
from parse_dfl.peers.authority import Authority
from parse_dfl.peers.exchange import PeerExchanger
from parse_dfl.peers.identity import Signer
from parse_dfl.peers.rejection import Refusal
from parse_dfl.peers.round_stats import RoundStats
from parse_dfl.peers.signed_record import seal, unseal
from parse_dfl.peers.topics import Topics, is_name
from parse_dfl.peers.transport import Transport
from parse_dfl.peers.validation import MessageValidator

ABOUT = "status"
ASK_AGAIN_S = 0.2
MOST_LIVING = 512
"""Names that a status tells; more would not fit."""


def ask_all(
    transport: Transport,
    federation: str,
    authority: Authority | None,
    *,
    timeout_s: float,
    wanted: Iterable[str] | None = None,
) -> dict[str, Mapping[str, Any]]:
    """The status of every peer that answers in time, by name; what is not believed is left out.

    Peers do not relay, and connections to further ones come up one by one.  So the question is
    repeated until all have answered that are ``wanted``: given, or those whom a peer that has
    answered holds for alive.
    """
    answers = _Answers(federation, authority, wanted)
    everybody, end = Topics(federation).status(), time.monotonic() + timeout_s
    while not answers.complete() and (left := end - time.monotonic()) > 0:
        transport.ask(everybody, answers.take, timeout_s=left)
        answers.wait(min(ASK_AGAIN_S, left))
    return answers.told()


class _Answers:
    """What has been answered so far; filled by a thread of the network's."""

    def __init__(
        self, federation: str, authority: Authority | None, wanted: Iterable[str] | None
    ) -> None:
        self._federation, self._authority = federation, authority
        self._wanted = None if wanted is None else frozenset(wanted)
        self._told: dict[str, Mapping[str, Any]] = {}
        self._changed = Condition()

    def take(self, key: str, sealed: bytes) -> None:
        try:
            told = unseal(
                ABOUT,
                sealed,
                federation=self._federation,
                authority=self._authority,
                now=time.time(),
            )
        except Refusal:
            return
        if key == Topics(self._federation).status(told["name"]):
            with self._changed:
                self._told[told["name"]] = told
                self._changed.notify_all()

    def wait(self, timeout_s: float) -> None:
        with self._changed:
            self._changed.wait_for(self._all, timeout_s)

    def complete(self) -> bool:
        with self._changed:
            return self._all()

    def told(self) -> dict[str, Mapping[str, Any]]:
        with self._changed:
            return dict(self._told)

    def _all(self) -> bool:
        if self._wanted is not None:
            return self._wanted <= self._told.keys()
        return bool(self._told) and living_of(self._told) <= self._told.keys()


def living_of(found: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """All whom those that answered hold for alive."""
    lists = [told.get("living") for told in found.values()]
    return {
        name
        for names in lists
        if isinstance(names, list)
        for name in names[:MOST_LIVING]
        if isinstance(name, str) and is_name(name)
    }


def round_of(status: Mapping[str, Any]) -> int:
    """The round that a peer says it has finished; 0 if it says nothing sensible."""
    told = status.get("round")
    return told if type(told) is int and told >= 0 else 0


def rounds_of(statuses: Mapping[str, Mapping[str, Any]], living: Collection[str]) -> list[int]:
    """Return the rounds that the ``living`` have finished, in which others may join them.

    Agents that have diverged are left out: they wait for nobody and soon are at the last round.
    """
    return [
        round_of(status)
        for name, status in statuses.items()
        if name in living and status.get("diverged") is not True
    ]


@dataclass(frozen=True, kw_only=True)
class RoundReport:
    """One round of one peer; ``scores`` are there when it was evaluated."""

    round: int
    rounds: int
    seconds: float
    traffic: RoundStats
    sent_bytes: int
    received_bytes: int
    refused: int
    scores: Mapping[str, float] | None = None


class Reporter(Protocol):
    """Who hears of it."""

    def round(self, report: RoundReport) -> None:
        """A round is over."""

    def note(self, text: str) -> None:
        """Something that a person should know now, in one line."""


def in_a_line(report: RoundReport) -> str:
    """``round 7/100  0.12 s  4 neighbours  1 missing  sent 81 kB  accuracy 71.2 %``"""
    neighbours = {name for own in report.traffic.neighbours.values() for name in own}
    parts = [
        f"round {report.round}/{report.rounds}",
        f"{report.seconds:.2f} s",
        f"{len(neighbours)} neighbours",
        f"sent {report.sent_bytes / 1000:.1f} kB",
        f"received {report.received_bytes / 1000:.1f} kB",
    ]
    if report.traffic.missing:
        parts.append(f"missing {', '.join(sorted(report.traffic.missing))}")
    if report.refused:
        parts.append(f"refused {report.refused}")
    if report.scores:
        parts.append(f"accuracy {100 * report.scores['accuracy']:.1f} %")
    return "  ".join(parts)


class StatusPublisher:
    """Tells how one agent is."""

    def __init__(
        self,
        trainer: Trainer,
        exchanger: PeerExchanger,
        validator: MessageValidator,
        identity: Signer,
        reporter: Reporter,
        living: Callable[[], Collection[str]],
    ) -> None:
        self._learner, self._exchanger, self._guard = trainer, exchanger, validator
        self._identity, self._reporter = identity, reporter
        self._living = living
        self._accuracy: float | None = None
        self._status: Mapping[str, Any] = {}

    def begin(self) -> None:
        """Before the first round: what is known so far."""
        self._status = self._state(None)

    def round(
        self, traffic: RoundStats, scores: Mapping[str, float] | None, seconds: float
    ) -> None:
        """A round is over that took so long."""
        self._accuracy = scores["accuracy"] if scores else self._accuracy
        self._status = self._state(traffic)
        self._reporter.round(
            RoundReport(
                round=self._learner.round,
                rounds=self._learner.training.rounds,
                seconds=seconds,
                traffic=traffic,
                sent_bytes=self._status["sent_bytes"],
                received_bytes=self._status["received_bytes"],
                refused=_count(self._status["validator"]),
                scores=scores,
            )
        )

    def answer(self, key: str) -> bytes:  # noqa: ARG002
        """The status, signed, to one who asks."""
        living = sorted(self._living())[:MOST_LIVING]
        return seal(ABOUT, {**self._status, "living": living}, self._identity)

    def _state(self, traffic: RoundStats | None) -> Mapping[str, Any]:
        stack = self._learner.layout.stacks[0]
        agent = stack.agents[0]
        return {
            "round": self._learner.round,
            "rounds": self._learner.training.rounds,
            "modalities": list(agent.modalities),
            "neighbours": dict(traffic.neighbours) if traffic else {},
            "staleness": dict(traffic.staleness) if traffic else {},
            "missing": sorted(traffic.missing) if traffic else [],
            "sent_bytes": self._exchanger.outbox.sent_bytes,
            "received_bytes": self._exchanger.arrivals.received_bytes,
            "validator": self._guard.report(time.time()),
            "accuracy": self._accuracy,
            "diverged": not parameters_are_finite(stack),
        }


def _count(report: Mapping[str, Any]) -> int:
    """Of how many messages the validator's report tells that they were refused."""
    accounts = [*report["refused"].values(), *report["unverified"].values()]
    return sum(sum(account.values()) for account in accounts)
