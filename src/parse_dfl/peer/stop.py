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
        self._held = False
        self._calls: SimpleQueue[None] = SimpleQueue()  # may be put into by a signal's handler

    @property
    def asked(self) -> bool:
        """Whether it was asked for, now or later."""
        return self._after is not None

    def ask(self, after_round: int = 0) -> None:
        """Stop once ``after_round`` is done; 0: after the round under way."""
        self._after = after_round
        self._held = False
        self._calls.put(None)

    def hold(self) -> None:
        """Let no other round begin until it is said after which one to stop."""
        self._held = True
        self._calls.put(None)

    def due(self, done: int) -> bool:
        """Whether to stop after ``done`` rounds."""
        return self._after is not None and done >= self._after

    def due_within(self, seconds: float, *, done: int) -> bool:
        """Whether it is due after ``done`` rounds, now or in so many seconds.

        It waits for as long, longer while it is held, and returns at once when it is due.
        """
        end = time.monotonic() + seconds
        while not self.due(done) and (self._held or time.monotonic() < end):
            left = TIMEOUT_MAX if self._held else end - time.monotonic()
            with suppress(Empty):
                self._calls.get(timeout=min(max(0.0, left), TIMEOUT_MAX))
        return self.due(done)
