"""What a peer tells of itself, round by round, to whoever started it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from parse_dfl.peer.traffic import Traffic


@dataclass(frozen=True, kw_only=True)
class RoundReport:
    """One round of one peer; ``scores`` are there when it was evaluated."""

    round: int
    rounds: int
    seconds: float
    traffic: Traffic
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
