"""Who hears how a run is going.

Where nobody listens, notes go to the log ``parse_dfl.runs`` as warnings: Python shows these on
standard error, unless a program routes them elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Listener(Protocol):
    """Told by a run where it stands; a comparison starts and finishes one run after another."""

    def start(self, label: str, rounds: int, first_round: int) -> None:
        """A run of ``rounds`` rounds begins (or goes on) after ``first_round`` done rounds."""

    def round(self, done: int, accuracy: Mapping[str, float] | None) -> None:
        """``done`` rounds are done; ``accuracy`` per agent group, 0 to 1, when it was due."""

    def finish(self) -> None:
        """The run that was started last is over."""

    def note(self, text: str) -> None:
        """Something that a person should know now, in one line."""


def log_note(text: str) -> None:
    """Write a note to the log ``parse_dfl.runs``, as a warning."""
    import logging  # the command line has listeners of its own, and no time for this

    logging.getLogger("parse_dfl.runs").warning(text)


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
