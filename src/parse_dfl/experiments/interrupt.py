"""Stopping between rounds: the round under way is finished, so that a checkpoint is whole."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType


class Stop:
    """Whether somebody has asked to stop."""

    def __init__(self) -> None:
        self.asked = False


@contextmanager
def interrupt_after_round(signals: Sequence[signal.Signals] = (signal.SIGINT,)) -> Iterator[Stop]:
    """Let the first Ctrl-C, or another of ``signals``, only be remembered; a second one interrupts
    at once.

    Outside of the main thread, where signals cannot be handled, nothing changes.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def remember(number: int, frame: FrameType | None) -> None:
        if stop.asked:
            signal.default_int_handler(number, frame)
        stop.asked = True

    before = {each: signal.signal(each, remember) for each in signals}
    try:
        yield stop
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
