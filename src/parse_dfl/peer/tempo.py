"""How fast rounds follow each other: no faster than a site wants them to."""

from __future__ import annotations

import time
from collections.abc import Callable


class Tempo:
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
        """An exchange is over; the training before it took so long, and so will the next."""
        self._begin_at = self._clock() + self._least_round_s - trained_s

    def pause_s(self) -> float:
        """The seconds that are left to the beginning of the next round."""
        return max(0.0, self._begin_at - self._clock())
