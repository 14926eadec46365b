"""Validate everything that arrives before it is used.

Cheap checks come first, so that a bad message costs little; what is unsigned is never held
against the agent that it names, or anybody could have anybody ignored.  No clock is read: every
call is given the time, in seconds of any clock that hardly goes back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from parse_dfl.peers.authority import Authority, Reason, Rejected
from parse_dfl.peers.messages import Header, Message, Schema, decode, most_bytes
from parse_dfl.peers.round_sync import RoundFilter

EXCUSED = frozenset({Reason.ROUND, Reason.IGNORED})
"""Reasons that an honest but slow sender may give: they are counted, and not held against it."""


ContentCheck = Callable[[Mapping[str, Tensor]], None]


@dataclass(frozen=True, kw_only=True)
class RateLimits:
    """Limits and penalties of a sender.

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

    limits: RateLimits
    since: float
    tokens: float = field(init=False)
    strikes: float = 0.0
    ignored_until: float = float("-inf")
    next_ignore_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.tokens = float(self.limits.burst)
        self.next_ignore_s = self.limits.ignore_s

    def ignored_s(self, now: float) -> float:
        """Return the seconds for which the sender is still ignored; 0: it is not."""
        return max(0.0, self.ignored_until - now)

    def take(self, now: float) -> bool:
        """Take the token of one message; return False if there is none left."""
        self._pass_time(now)
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    def strike(self, now: float) -> None:
        """Hold a bad message against the sender."""
        self._pass_time(now)
        self.strikes += 1
        if self.strikes >= self.limits.most_strikes:
            self.ignored_until = now + self.next_ignore_s
            self.next_ignore_s = min(2 * self.next_ignore_s, self.limits.most_ignore_s)
            self.strikes = 0.0

    def _pass_time(self, now: float) -> None:
        passed, self.since = max(0.0, now - self.since), now
        limits = self.limits
        self.tokens = min(limits.burst, self.tokens + passed * limits.messages_per_second)
        self.strikes = max(0.0, self.strikes - passed * limits.strikes_forgiven_per_second)
        if now - self.ignored_until > limits.most_ignore_s:
            self.next_ignore_s = limits.ignore_s


MOST_SENDERS = 10_000
"""Senders that are kept account of; a federation in one mesh is far smaller."""

OTHERS, NOBODY = "(others)", "(unreadable)"


@dataclass(frozen=True)
class ValidationResult:
    """A message accepted with its tensors, or rejected for a reason."""

    header: Header | None
    tensors: dict[str, Tensor]
    reason: Reason | None = None
    detail: str = ""

    @property
    def accepted(self) -> bool:
        """Whether the tensors may be used."""
        return self.reason is None


@dataclass
class Account:
    """Messages of one sender: accepted, and refused by reason."""

    accepted: int = 0
    refused: Counter[Reason] = field(default_factory=Counter)


class MessageValidator:
    """Validates every message that arrives.

    Args:
        federation: the federation's name.
        name: this agent's name; nobody else may speak under it.
        authority: checks the signatures; None: an insecure federation, where none are.
        rounds: decides which rounds are taken.
        limits: of each sender.
        kinds: the kinds of messages that are taken.
    """

    def __init__(
        self,
        *,
        federation: str,
        name: str,
        authority: Authority | None,
        rounds: RoundFilter,
        limits: RateLimits = RateLimits(),
        kinds: frozenset[str] = frozenset({"slice"}),
    ) -> None:
        self._federation, self._name, self._authority = federation, name, authority
        self._rounds, self._limits, self._kinds = rounds, limits, kinds
        self._schemas: dict[str, Schema] = {}
        self._checks: dict[str, ContentCheck] = {}
        self._standings: dict[str, Standing] = {}
        self._verified: dict[str, Account] = {}
        self._claimed: dict[str, Account] = {}

    def expect(self, branch: str, schema: Schema, *, check: ContentCheck | None = None) -> None:
        """Take messages of ``branch`` from now on, with tensors of this schema.

        ``check`` raises :class:`Rejected` for tensors that cannot be, though they are finite.
        """
        self._schemas[branch] = schema
        if check:
            self._checks[branch] = check

    def forget(self, branch: str) -> None:
        """Take no messages of ``branch`` any more."""
        self._schemas.pop(branch, None)
        self._checks.pop(branch, None)

    @property
    def limit_bytes(self) -> int:
        """The longest message that is read at all."""
        return max((most_bytes(schema) for schema in self._schemas.values()), default=0)

    def validate(
        self, data: bytes, *, round: int, now: float, sender: str | None = None
    ) -> ValidationResult:
        """Check one message.

        Args:
            data: as it arrived.
            round: this agent's round.
            now: seconds since 1970.
            sender: the agent whose key of the network it arrived under; None: unknown.

        Returns:
            The result; a rejection is counted, never raised.
        """
        message: Message | None = None
        verified = False
        try:
            message = decode(data, limit_bytes=self.limit_bytes)
            schema = self._check_header(message.header, round=round, now=now, sender=sender)
            self._check_signature(message, now)
            verified = True
            self._check_rate(message.header.sender, now)
            tensors = message.tensors(schema)
            if check := self._checks.get(message.header.branch):
                check(tensors)
        except Rejected as rejected:
            header = message.header if message else None
            self._count(header, rejected.reason, verified=verified, now=now)
            return ValidationResult(header, {}, rejected.reason, rejected.detail)
        self._rounds.accepted(message.header)
        self._account(self._verified, message.header.sender).accepted += 1
        return ValidationResult(message.header, tensors)

    def _check_header(
        self, header: Header, *, round: int, now: float, sender: str | None
    ) -> Schema:
        if header.federation != self._federation:
            raise Rejected(
                Reason.FEDERATION, f"a message of {header.federation}, not {self._federation}"
            )
        if header.sender == self._name or sender not in (None, header.sender):
            raise Rejected(
                Reason.SENDER, f"{sender or 'somebody'} sent a message of {header.sender!r}"
            )
        left = self.ignored_s(header.sender, now)
        if left:
            raise Rejected(Reason.IGNORED, f"{header.sender} is ignored for another {left:.0f} s")
        schema = self._schemas.get(header.branch)
        if schema is None or header.kind not in self._kinds:
            raise Rejected(
                Reason.BRANCH, f"{header.kind} of {header.branch!r} is not exchanged here"
            )
        self._rounds.check(header, round)
        return schema

    def _check_signature(self, message: Message, now: float) -> None:
        if self._authority is None:
            return
        if not message.is_signed:
            raise Rejected(Reason.UNCERTIFIED, f"an unsigned message of {message.header.sender!r}")
        message.verify(self._authority.verified(message.fingerprint, now))

    def _check_rate(self, sender: str, now: float) -> None:
        if not self._standing(sender, now).take(now):
            raise Rejected(
                Reason.RATE,
                f"more than {self._limits.messages_per_second:g} messages a second of {sender}",
            )

    def ignored_s(self, sender: str, now: float) -> float:
        """Return the seconds for which a sender is still ignored; 0: it is not."""
        standing = self._standings.get(sender)
        return standing.ignored_s(now) if standing else 0.0

    def _standing(self, sender: str, now: float) -> Standing:
        name = sender if sender in self._standings or self._has_room() else OTHERS
        return self._standings.setdefault(name, Standing(self._limits, now))

    def _has_room(self) -> bool:
        return len(self._standings) < MOST_SENDERS

    def _count(self, header: Header | None, reason: Reason, *, verified: bool, now: float) -> None:
        name = header.sender if header else NOBODY
        self._account(self._verified if verified else self._claimed, name).refused[reason] += 1
        if verified and reason not in EXCUSED:
            self._standing(name, now).strike(now)

    @staticmethod
    def _account(accounts: dict[str, Account], name: str) -> Account:
        has_room = name in accounts or len(accounts) < MOST_SENDERS
        return accounts.setdefault(name if has_room else OTHERS, Account())

    def report(self, now: float) -> dict[str, Any]:
        """Return, for the status, who was accepted, refused for what, and is ignored for how long.

        ``refused`` is by the sender that signed (of an insecure federation: that is named),
        ``unverified`` by the sender that a message names, whoever it is from.
        """
        ignored = {name: sender.ignored_s(now) for name, sender in self._standings.items()}
        return {
            "accepted": {
                name: account.accepted
                for name, account in sorted(self._verified.items())
                if account.accepted
            },
            "refused": _refused(self._verified),
            "unverified": _refused(self._claimed),
            "ignored_s": {name: left for name, left in sorted(ignored.items()) if left},
        }


def _refused(accounts: dict[str, Account]) -> dict[str, dict[str, int]]:
    return {
        name: {str(reason): count for reason, count in sorted(account.refused.items())}
        for name, account in sorted(accounts.items())
        if account.refused
    }
