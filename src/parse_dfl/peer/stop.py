"""When a peer is to stop."""

from __future__ import annotations

import time
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import TIMEOUT_MAX


class Stop:
    """Whether somebody has asked to stop, and after which round."""

    def __init__(self) -> None:
        self._after: int | None = None
        self._calls: SimpleQueue[None] = SimpleQueue()  # may be put into by a signal's handler

    @property
    def asked(self) -> bool:
        """Whether it was asked for, now or later."""
        return self._after is not None

    def ask(self, after_round: int = 0) -> None:
        """Stop once ``after_round`` is done; 0: after the round under way."""
        self._after = after_round
        self._calls.put(None)

    def due(self, done: int) -> bool:
        """Whether to stop after ``done`` rounds."""
        return self._after is not None and done >= self._after

    def due_within(self, seconds: float, *, done: int) -> bool:
        """Whether it is due after ``done`` rounds, now or in so many seconds.

        It waits for as long, and returns at once when it is due.
        """
        end = time.monotonic() + seconds
        while not self.due(done) and (left := end - time.monotonic()) > 0:
            with suppress(Empty):
                self._calls.get(timeout=min(left, TIMEOUT_MAX))
        return self.due(done)
