"""Standard output and error that never stop the work.

What an encoding cannot show is written in ASCII (``±`` as ``+-``).  Output that nobody reads any
more (``parse-dfl run | head``) or that was closed from the start (``>&-``) is dropped, and the
command goes on: a run writes its records and ends with the status of its work.  Output that
should be kept and cannot be (a full disk) is an error, told once the work is done.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from parse_dfl.text import showable

GONE = (errno.EPIPE, errno.ESHUTDOWN, errno.EBADF, errno.EIO)
"""The reader has left: a closed pipe, descriptor or terminal."""


class Stream:
    """A text stream in place of ``sys.stdout`` or ``sys.stderr``; all else is the stream's own."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._open = True
        self.error: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write what the encoding can show, or drop it where nobody reads."""
        if self._open:
            with self._ending():
                self._stream.write(showable(text, self._stream.encoding))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Hand on what is buffered."""
        if self._open:
            with self._ending():
                self._stream.flush()

    @contextmanager
    def _ending(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._open = False
            if error.errno not in GONE:
                self.error = error
            # What is still buffered would fail again when Python ends.
            with suppress(OSError, ValueError):
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, self._stream.fileno())
                os.close(null)


@contextmanager
def lasting_streams() -> Iterator[Callable[[], str]]:
    """Put :class:`Stream` in the place of both while a command runs.

    Yields a function that says why what was printed could not be kept: a reason, or "".
    """
    _fill_closed_descriptors()
    before = sys.stdout, sys.stderr
    out, err = (Stream(_null() if stream is None else stream) for stream in before)

    def lost() -> str:
        out.flush()
        return out.error.strerror or str(out.error) if out.error else ""

    sys.stdout, sys.stderr = out, err
    try:
        yield lost
    finally:
        out.flush()
        err.flush()
        sys.stdout, sys.stderr = before


def _null() -> TextIO:
    """Open what takes the place of a stream that was closed from the start.

    ``print(file=None)`` would print to standard output instead.
    """
    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 - lives like sys.stdout


def _fill_closed_descriptors() -> None:
    """Keep 0, 1 and 2 from being given to a file that is opened later, which would then get what
    a library prints."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
