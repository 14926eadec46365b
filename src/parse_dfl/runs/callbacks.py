"""Report the progress of a run to a listener, and handle signals that ask it to stop.

The round under way is finished before a run stops, so that a checkpoint is whole.  Ctrl-C
(SIGINT), SIGTERM and SIGHUP, which batch schedulers and closed terminals send, all ask to stop.
One that is ignored (SIGHUP under ``nohup``) stays ignored.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn, Protocol

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that ask to stop."""
ECHO_S = 2.0
"""Within this time a launcher's copy of a signal that reached the whole process group is no second
wish to stop."""

Handler = Callable[[int, FrameType | None], None]


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


class Stopped(KeyboardInterrupt):
    """Raised when a signal asked to stop; ``number`` is the signal's."""

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__()
        self.number = number


class Stop:
    """Remembers whether somebody has asked to stop, and by which signal."""

    def __init__(self) -> None:
        self.number: int | None = None
        self.at = 0.0

    @property
    def asked(self) -> bool:
        """Whether a signal came."""
        return self.number is not None

    def error(self) -> Stopped:
        """Return what ends the run once its checkpoint is written."""
        return Stopped(signal.SIGINT if self.number is None else self.number)


def end_at_once(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    """Raise :class:`Stopped` where the program happens to be."""
    raise Stopped(number)


@contextmanager
def interrupt_at_once() -> Iterator[None]:
    """Raise :class:`Stopped` for every signal that asks to stop, so that all is tidied up."""
    with handled(end_at_once):
        yield


@contextmanager
def interrupt_after_round(*, echoes: bool = False) -> Iterator[Stop]:
    """Let the first signal that asks to stop only be remembered; a second one interrupts at once.

    ``echoes`` says that a launcher such as ``torchrun`` passes on to this process what may have
    reached it already: the same signal again within :data:`ECHO_S` then counts once.

    Outside of the main thread, where signals cannot be handled, nothing changes.
    """
    stop = Stop()

    def remember(number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if stop.asked and not (echoes and number == stop.number and now - stop.at < ECHO_S):
            end_at_once(number, frame)
        if not stop.asked:
            stop.number, stop.at = number, now

    with handled(remember):
        yield stop


@contextmanager
def handled(handler: Handler) -> Iterator[None]:
    """Let ``handler`` take all signals that ask to stop, but for those that are ignored."""
    before = _install(handler)
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def _install(handler: Handler) -> Mapping[signal.Signals, Handler | int | None]:
    """Install a handler; return those that it replaces.

    SIGINT is always taken: a shell ignores it for whatever it starts in the background, where
    ``kill -INT`` must work all the same.
    """
    if threading.current_thread() is not threading.main_thread():
        return {}
    taken = [
        number
        for number in STOPS
        if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN
    ]
    return {number: signal.signal(number, handler) for number in taken}
