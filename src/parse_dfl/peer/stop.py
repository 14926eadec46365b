"""When a peer is to stop."""

from __future__ import annotations


class Stop:
    """Whether somebody has asked to stop, and after which round."""

    def __init__(self) -> None:
        self._after: int | None = None

    @property
    def asked(self) -> bool:
        """Whether it was asked for, now or later."""
        return self._after is not None

    def ask(self, after_round: int = 0) -> None:
        """Stop once ``after_round`` is done; 0: after the round under way."""
        self._after = after_round

    def due(self, done: int) -> bool:
        """Whether to stop after ``done`` rounds."""
        return self._after is not None and done >= self._after
