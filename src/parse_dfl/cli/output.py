"""Write output: records to a folder, progress and notes to stderr, on streams that may close.

What an encoding cannot show is written in ASCII (``±`` as ``+-``).  Output that nobody reads any
more (``parse-dfl run | head``) or that was closed from the start (``>&-``) is dropped, and the
command goes on: a run writes its records and ends with the status of its work.  Output that
should be kept and cannot be (a full disk) is an error, told once the work is done.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from signal import SIGINT
from typing import TYPE_CHECKING, Any, TextIO

from parse_dfl.cli.processes import add_threads
from parse_dfl.config import RunConfig
from parse_dfl.errors import OutputError, RankError
from parse_dfl.process import launch
from parse_dfl.runs.callbacks import SILENT, Listener
from parse_dfl.runs.folder import check_free, is_ours
from parse_dfl.text import as_given, showable

if TYPE_CHECKING:
    from rich.console import Console


RUNS = Path("runs")


def console() -> Console:
    """Return a console for standard output that fits a terminal and cuts nothing elsewhere.

    ``COLUMNS`` in the environment is a width that somebody asked for.
    """
    from rich.console import Console

    from parse_dfl.report.formatting import UNLIMITED

    free = not sys.stdout or not (sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdecimal())
    return Console(width=UNLIMITED if free else None, soft_wrap=False, highlight=False)


class Interrupted(Exception):
    """A signal asked to stop, 2 is Ctrl-C; the text says how to go on."""

    def __init__(self, text: str, number: int = SIGINT) -> None:
        super().__init__(text)
        self.number = number


def add_output(parser: argparse.ArgumentParser, *, default: str, resume: str) -> None:
    """Add ``--out``, ``--overwrite``, ``--resume`` and ``--quiet``."""
    group = parser.add_argument_group("output")
    target = group.add_mutually_exclusive_group()
    target.add_argument("--out", type=Path, metavar="DIR", help=f"folder (default: {default})")
    target.add_argument("--resume", type=Path, metavar="DIR", help=resume)
    add_threads(group)
    group.add_argument("--overwrite", action="store_true", help="replace what is in --out")
    group.add_argument(
        "--quiet", action="store_true", help="show no progress, only what needs your attention"
    )


def default_out(config: RunConfig, what: str) -> Path:
    """Return the default folder, such as ``runs/digits-parse-seed0``."""
    name = Path(config.data.data).stem.replace(":", "-")
    return RUNS / f"{name}-{what}-seed{config.seed}"


@contextmanager
def interruptible(out: Path, how_to_go_on: str) -> Iterator[None]:
    """Turn a signal into :class:`Interrupted` with a line that says how to go on; the loss of a
    rank is told with the same line."""
    try:
        yield
    except RankError as lost:
        if not lost.first or not _can_go_on(out):
            raise
        raise RankError(f"{lost}; {how_to_go_on}, on any number of ranks") from lost
    except KeyboardInterrupt as stop:
        number = getattr(stop, "number", SIGINT)
        told = how_to_go_on if _can_go_on(out) else "nothing was written"
        raise Interrupted(told, number) from stop


def _can_go_on(out: Path) -> bool:
    """Return whether what lies there may be gone on with: it is not another process's."""
    try:
        check_free(out)
    except OutputError:
        return False
    return is_ours(out)


def list_files(folder: Path) -> str:
    """Return ``runs/x: agents/, metrics.jsonl, summary.json``."""
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    names = [f"{entry.name}/" if entry.is_dir() else entry.name for entry in entries]
    return f"{folder}: {', '.join(name for name in names if not name.startswith('.'))}"


@contextmanager
def progress(*, quiet: bool) -> Iterator[Listener]:
    """Yield the listener that fits stderr; on leaving, also by an error, remove its bar."""
    if not launch().is_main:
        yield SILENT
    elif quiet:
        yield QuietListener()
    elif not sys.stderr.isatty():
        yield PlainListener()
    else:
        from rich.console import Console

        listener = ProgressListener(Console(stderr=True))
        try:
            yield listener
        finally:
            listener.finish()


class QuietListener:
    """No progress; only what a person should know all the same."""

    def start(self, label: str, rounds: int, first_round: int) -> None:
        """Show nothing."""

    def round(self, done: int, accuracy: Mapping[str, float] | None) -> None:
        """Show nothing."""

    def finish(self) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Print it; a terminal that is gone is no reason to end."""
        with suppress(OSError):
            print(as_given(text), file=sys.stderr, flush=True)


class PlainListener(QuietListener):
    """A line an evaluation, for logs and pipes."""

    def __init__(self) -> None:
        self._label = ""
        self._rounds = 0

    def start(self, label: str, rounds: int, first_round: int) -> None:
        """Remember what the lines are about; say so where a run goes on."""
        self._label, self._rounds = label, rounds
        if first_round:
            self.note(f"{label}: goes on after round {first_round}")

    def round(self, done: int, accuracy: Mapping[str, float] | None) -> None:
        """Print the accuracies, if there are any."""
        if accuracy is not None:
            self.note(f"{self._label}: round {done}/{self._rounds}  {accuracies(accuracy)}")


class ProgressListener:
    """A live bar with round, time left and the latest accuracy per agent group."""

    def __init__(self, console: Console) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[accuracy]}", markup=False),
            console=console,
            transient=True,
        )

    def start(self, label: str, rounds: int, first_round: int) -> None:
        """Show a new bar."""
        self._bar.add_task(label, total=rounds, completed=first_round, accuracy="")
        self._bar.start()

    def round(self, done: int, accuracy: Mapping[str, float] | None) -> None:
        """Move the bar; the last accuracies stay until there are new ones."""
        for task in self._bar.task_ids:
            self._bar.update(task, completed=done)
            if accuracy is not None:
                self._bar.update(task, accuracy=accuracies(accuracy))

    def finish(self) -> None:
        """Take the bar away."""
        with suppress(OSError):  # the terminal may be gone
            self._bar.stop()
        for task in self._bar.task_ids:
            self._bar.remove_task(task)

    def note(self, text: str) -> None:
        """Print it above the bar."""
        with suppress(OSError):
            self._bar.console.print(as_given(text), markup=False, highlight=False)


def accuracies(accuracy: Mapping[str, float]) -> str:
    """Return ``acc 41.3 %  acc+gyro 55.0 %``."""
    return "  ".join(f"{as_given(group)} {100 * value:.1f} %" for group, value in accuracy.items())


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
