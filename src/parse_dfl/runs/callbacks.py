"""Report the progress of a run: to its listener, which may pass it on to a user's callbacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from parse_dfl.errors import ConfigError


class Listener(Protocol):
    """Told by a run where it stands; a comparison starts and finishes one run after another."""

    def start(self, label: str, rounds: int, first_round: int) -> None:
        """Hear that a run of ``rounds`` rounds begins, or goes on after the ``first_round``."""

    def round(self, done: int, accuracy: Mapping[str, float] | None) -> None:
        """Hear that ``done`` rounds are done; ``accuracy`` per agent group, where it was due."""

    def finish(self) -> None:
        """Hear that the run that was started last is over."""

    def note(self, text: str) -> None:
        """Hear something that a person should know now, in one line."""


class _Silent:
    def start(self, label: str, rounds: int, first_round: int) -> None:
        pass

    def round(self, done: int, accuracy: Mapping[str, float] | None) -> None:
        pass

    def finish(self) -> None:
        pass

    def note(self, text: str) -> None:
        pass


class _Logging(_Silent):
    def note(self, text: str) -> None:
        log_note(text)


SILENT: Listener = _Silent()
LOGGING: Listener = _Logging()
"""Where nobody listens, notes are not lost: Python shows warnings on standard error, unless a
program routes them elsewhere."""


def log_note(text: str) -> None:
    """Write a note to the log ``parse_dfl.runs``, as a warning."""
    import logging  # the command line has listeners of its own, and no time for this

    logging.getLogger("parse_dfl.runs").warning(text)


class Callback:
    """Override what you want to hear; nothing else need be done.

    A comparison starts and ends one run of all seeds for every method.
    """

    def on_start(self, method: str, rounds: int, first_round: int) -> None:
        """Hear that a run of ``rounds`` rounds begins, or goes on after ``first_round``."""

    def on_round(self, round: int) -> None:
        """Hear that ``round`` (counted from 1) is done."""

    def on_evaluation(self, round: int, scores: Mapping[str, float]) -> None:
        """Hear the accuracy, 0 to 1, of every agent group after ``round``."""

    def on_note(self, text: str) -> None:
        """Hear what a person should know now, such as a loss that is not finite."""

    def on_end(self) -> None:
        """Hear that the run is over."""


class CallbackListener:
    """Tell callbacks what a run tells its listener; notes go to the log too."""

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        callbacks = [callbacks] if isinstance(callbacks, Callback) else callbacks
        if not isinstance(callbacks, Sequence):
            raise ConfigError(f"callbacks must be a list of Callback, not {callbacks!r}")
        for callback in callbacks:
            if not isinstance(callback, Callback):
                raise ConfigError(f"{callback!r} is no Callback; derive its class from it")
        self._callbacks = callbacks
        self._done = 0

    def start(self, label: str, rounds: int, first_round: int) -> None:
        """Pass on that a run begins."""
        self._done = first_round
        for callback in self._callbacks:
            callback.on_start(label, rounds, first_round)

    def round(self, done: int, accuracy: Mapping[str, float] | None) -> None:
        """Pass on that a round is done, and its accuracies where it was evaluated."""
        is_new = done != self._done  # the last round is told again with its final accuracies
        self._done = done
        for callback in self._callbacks:
            if is_new:
                callback.on_round(done)
            if accuracy is not None:
                callback.on_evaluation(done, accuracy)

    def finish(self) -> None:
        """Pass on that the run is over."""
        for callback in self._callbacks:
            callback.on_end()

    def note(self, text: str) -> None:
        """Pass on a note, and log it as a warning."""
        log_note(text)
        for callback in self._callbacks:
            callback.on_note(text)
