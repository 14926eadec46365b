"""Why something that arrived is refused: a reason to count, and a sentence to read."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """The reasons, in the order in which they are looked for."""

    SIZE = "size"  # larger than anything that is expected
    FRAMING = "framing"  # no message of this protocol, or a damaged one
    VERSION = "version"  # of a version that is not spoken here
    FEDERATION = "federation"  # of another federation
    SENDER = "sender"  # speaks for another agent than itself
    IGNORED = "ignored"  # by a sender that is ignored for a while
    BRANCH = "branch"  # of a branch or kind that is not exchanged here
    ROUND = "round"  # too old, or too far ahead
    SCHEMA = "schema"  # other tensors than the branch has
    UNCERTIFIED = "uncertified"  # unsigned, or by a certificate that was never shown
    FOREIGN = "foreign"  # by a certificate that this federation's CA did not issue for agents
    EXPIRED = "expired"  # by a certificate that is no longer valid
    PREMATURE = "premature"  # by a certificate that is not valid yet
    SIGNATURE = "signature"  # signed with another key than the certified one, or altered
    RATE = "rate"  # more messages than a sender may send
    DTYPE = "dtype"  # numbers of another type
    SHAPE = "shape"  # tensors of another shape
    VALUES = "values"  # NaN or infinite numbers


MOST_DETAIL = 200
"""Characters of a refusal's sentence: part of it may be quoted from who sent it."""


class Rejected(Exception):
    """What arrived is dropped, for a :class:`Reason`; never an error of this agent."""

    def __init__(self, reason: Reason, detail: str) -> None:
        self.reason = reason
        self.detail = detail[:MOST_DETAIL]
        super().__init__(f"{reason}: {self.detail}")
