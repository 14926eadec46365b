"""Which rounds are taken of a sender: near one's own in lockstep, ever later ones in gossip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from parse_dfl.config import PeerConfig
from parse_dfl.peers.messages import Header
from parse_dfl.peers.rejection import Reason, Refusal


class Rounds(Protocol):
    """What the validator asks about a message's round."""

    def check(self, header: Header, own: int) -> None:
        """Return if the message may be taken by an agent in round ``own``.

        Raises:
            Refusal: it may not (``round``).
        """
        ...

    def accepted(self, header: Header) -> None:
        """Hear of a message that was good in all respects."""
        ...


@dataclass(frozen=True, kw_only=True)
class Window:
    """In lockstep: so many rounds behind one's own, so many ahead."""

    behind: int
    ahead: int

    def check(self, header: Header, own: int) -> None:
        """See :class:`Rounds`."""
        if not -self.behind <= header.round - own <= self.ahead:
            raise Refusal(Reason.ROUND, f"round {header.round}, where this agent is in {own}")

    def accepted(self, header: Header) -> None:
        """Nothing to remember."""


class Onward:
    """At one's own pace: only what is later than all that was accepted of the sender's branch.

    Rounds of different agents say nothing about each other there, however far apart.  Those of one
    agent only grow, but when it starts again from a checkpoint: ``born`` is later then.  So no old
    message counts twice.  Memory is bounded as the validator's is: only signed senders and branches
    that are expected get here.
    """

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], tuple[int, int]] = {}

    def check(self, header: Header, own: int) -> None:  # noqa: ARG002
        """See :class:`Rounds`."""
        last = self._last.get((header.sender, header.branch))
        if last is not None and (header.born, header.round) <= last:
            raise Refusal(Reason.ROUND, f"round {header.round}, after round {last[1]} had come")

    def accepted(self, header: Header) -> None:
        """Take nothing from before it any more."""
        self._last[header.sender, header.branch] = (header.born, header.round)


def rounds_for(settings: PeerConfig) -> Rounds:
    """What suits the pace."""
    if settings.pace == "asynchronous":
        return Onward()
    return Window(behind=settings.window, ahead=settings.window)
