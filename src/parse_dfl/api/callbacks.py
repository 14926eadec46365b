"""Pass the progress of a run on to the user's callbacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from parse_dfl.errors import ConfigError
from parse_dfl.runs.callbacks import log_note


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
