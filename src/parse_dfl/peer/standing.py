"""How senders behave: how often they may send, and who is ignored for a while.

Pure of clocks: every call is given the time, in seconds of any clock that hardly goes back.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from parse_dfl.peer.refusals import Reason

EXCUSED = frozenset({Reason.ROUND, Reason.IGNORED})
"""Reasons that an honest but slow sender may give: they are counted, and not held against it."""


@dataclass(frozen=True, kw_only=True)
class Manners:
    """What is put up with.

    A sender may send ``messages_per_second``, and ``burst`` at once.  Each bad message is a
    strike, ``strikes_forgiven_per_second`` fade; at ``most_strikes`` the sender is ignored for
    ``ignore_s``, twice as long each time, at most ``most_ignore_s``.  One that then behaves for
    ``most_ignore_s`` begins anew.
    """

    messages_per_second: float = 1000.0
    burst: int = 2000
    most_strikes: int = 20
    strikes_forgiven_per_second: float = 0.2
    ignore_s: float = 10.0
    most_ignore_s: float = 600.0


@dataclass
class Standing:
    """One sender's tokens and strikes."""

    manners: Manners
    since: float
    tokens: float = field(init=False)
    strikes: float = 0.0
    ignored_until: float = float("-inf")
    next_ignore_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.tokens = float(self.manners.burst)
        self.next_ignore_s = self.manners.ignore_s

    def ignored_s(self, now: float) -> float:
        """Seconds for which the sender is still ignored; 0: it is not."""
        return max(0.0, self.ignored_until - now)

    def take(self, now: float) -> bool:
        """Take the token of one message; False: there is none left."""
        self._pass_time(now)
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    def strike(self, now: float) -> None:
        """Hold a bad message against the sender."""
        self._pass_time(now)
        self.strikes += 1
        if self.strikes >= self.manners.most_strikes:
            self.ignored_until = now + self.next_ignore_s
            self.next_ignore_s = min(2 * self.next_ignore_s, self.manners.most_ignore_s)
            self.strikes = 0.0

    def _pass_time(self, now: float) -> None:
        passed, self.since = max(0.0, now - self.since), now
        manners = self.manners
        self.tokens = min(manners.burst, self.tokens + passed * manners.messages_per_second)
        self.strikes = max(0.0, self.strikes - passed * manners.strikes_forgiven_per_second)
        if now - self.ignored_until > manners.most_ignore_s:
            self.next_ignore_s = manners.ignore_s
