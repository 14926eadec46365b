"""The settings of peers, in a file that costs nothing to import."""

from __future__ import annotations

from dataclasses import dataclass

PACES = ("synchronous", "asynchronous")

MOST_SEED = 2**63 - 1
"""The largest number that an announcement holds."""


@dataclass(frozen=True, kw_only=True)
class PeerConfig:
    """How peers keep pace with each other, and how long they have patience.

    ``pace``: ``synchronous`` rounds wait for the neighbours, at most ``deadline_s`` seconds;
    ``asynchronous`` ones mix what has arrived, older states with less weight.  A round lasts
    ``least_round_s`` seconds at least, so that slow data cost little work.  A neighbour's state
    counts for ``window`` rounds at most; ``staleness`` is the power of its discount.
    A peer that is silent for ``lease_s`` seconds is taken for gone.  ``insecure`` leaves out
    certificates and encryption: for trying things out on one machine.
    """

    pace: str = "synchronous"
    deadline_s: float = 10.0
    least_round_s: float = 0.0
    lease_s: float = 10.0
    window: int = 4
    staleness: float = 0.5
    insecure: bool = False

    @property
    def longest_wait_s(self) -> float:
        """How long a synchronous round waits for neighbours: one may just have begun its pause."""
        return self.deadline_s + self.least_round_s

    @property
    def patience_s(self) -> float:
        """How long to try to send to a peer that does not read: the own pace goes first."""
        return self.deadline_s / 4 if self.pace == "synchronous" else 0.1
