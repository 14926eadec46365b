"""What a peer tells of itself: round by round to its reporter, and, signed, to whoever asks."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from parse_dfl.peer.exchange import PeerExchanger
from parse_dfl.peer.guard import Guard
from parse_dfl.peer.identity import Signer
from parse_dfl.peer.report import Reporter, RoundReport
from parse_dfl.peer.sealed import seal
from parse_dfl.peer.status import ABOUT, MOST_LIVING
from parse_dfl.peer.traffic import Traffic
from parse_dfl.training.learner import Learner


class Telling:
    """Tells how one agent is."""

    def __init__(
        self,
        learner: Learner,
        exchanger: PeerExchanger,
        guard: Guard,
        identity: Signer,
        reporter: Reporter,
        living: Callable[[], Collection[str]],
    ) -> None:
        self._learner, self._exchanger, self._guard = learner, exchanger, guard
        self._identity, self._reporter = identity, reporter
        self._living = living
        self._accuracy: float | None = None
        self._status: Mapping[str, Any] = {}

    def begin(self) -> None:
        """Before the first round: what is known so far."""
        self._status = self._state(None)

    def round(self, traffic: Traffic, scores: Mapping[str, float] | None, seconds: float) -> None:
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
                refused=_count(self._status["guard"]),
                scores=scores,
            )
        )

    def answer(self, key: str) -> bytes:  # noqa: ARG002
        """The status, signed, to one who asks."""
        living = sorted(self._living())[:MOST_LIVING]
        return seal(ABOUT, {**self._status, "living": living}, self._identity)

    def _state(self, traffic: Traffic | None) -> Mapping[str, Any]:
        agent = self._learner.layout.cohorts[0].agents[0]
        return {
            "round": self._learner.round,
            "rounds": self._learner.training.rounds,
            "modalities": list(agent.modalities),
            "neighbours": dict(traffic.neighbours) if traffic else {},
            "staleness": dict(traffic.staleness) if traffic else {},
            "missing": sorted(traffic.missing) if traffic else [],
            "sent_bytes": self._exchanger.outbox.sent_bytes,
            "received_bytes": self._exchanger.arrivals.received_bytes,
            "guard": self._guard.report(time.time()),
            "accuracy": self._accuracy,
        }


def _count(report: Mapping[str, Any]) -> int:
    """Of how many messages the guard's report tells that they were refused."""
    accounts = [*report["refused"].values(), *report["unverified"].values()]
    return sum(sum(account.values()) for account in accounts)
