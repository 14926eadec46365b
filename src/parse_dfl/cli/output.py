"""Where the output goes: records, notes, and progress on stderr."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from signal import SIGINT
from typing import TYPE_CHECKING

from parse_dfl.cli.threads import add_threads
from parse_dfl.config import RunConfig
from parse_dfl.errors import RankError
from parse_dfl.ranks.launch import launch
from parse_dfl.runs.callbacks import SILENT, Listener
from parse_dfl.runs.folder import is_ours
from parse_dfl.safe_names import as_given

if TYPE_CHECKING:
    from rich.console import Console


RUNS = Path("runs")


def console() -> Console:
    """Return a console for standard output that fits a terminal and cuts nothing elsewhere.

    ``COLUMNS`` in the environment is a width that somebody asked for.
    """
    from rich.console import Console

    from parse_dfl.report.fitting import UNLIMITED

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
    place = group.add_mutually_exclusive_group()
    place.add_argument("--out", type=Path, metavar="DIR", help=f"folder (default: {default})")
    place.add_argument("--resume", type=Path, metavar="DIR", help=resume)
    add_threads(group)
    group.add_argument("--overwrite", action="store_true", help="replace what is in --out")
    group.add_argument(
        "--quiet", action="store_true", help="show no progress, only what needs your attention"
    )


def default_out(config: RunConfig, what: str) -> Path:
    """``runs/digits-parse-seed0``."""
    name = Path(config.data.data).stem.replace(":", "-")
    return RUNS / f"{name}-{what}-seed{config.seed}"


@contextmanager
def interruptible(out: Path, how_to_go_on: str) -> Iterator[None]:
    """Turn a signal into :class:`Interrupted` with a line that says how to go on; the loss of a
    rank is told with the same line."""
    try:
        yield
    except RankError as lost:
        if not lost.first or not is_ours(out):
            raise
        raise RankError(f"{lost}; {how_to_go_on}, on any number of ranks") from lost
    except KeyboardInterrupt as stop:
        number = getattr(stop, "number", SIGINT)
        raise Interrupted(how_to_go_on if is_ours(out) else "nothing was written", number) from stop


def list_files(folder: Path) -> str:
    """``runs/x: agents/, metrics.jsonl, summary.json``"""
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    names = [f"{entry.name}/" if entry.is_dir() else entry.name for entry in entries]
    return f"{folder}: {', '.join(name for name in names if not name.startswith('.'))}"


@contextmanager
def progress(*, quiet: bool) -> Iterator[Listener]:
    """The listener that fits stderr; whatever happens inside, the bar is taken away."""
    if not launch().leads:
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
        """Nothing is shown."""

    def round(self, done: int, accuracy: Mapping[str, float] | None) -> None:
        """Nothing is shown."""

    def finish(self) -> None:
        """Nothing is left to do."""

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
    """``acc 41.3 %  acc+gyro 55.0 %``"""
    return "  ".join(f"{as_given(group)} {100 * value:.1f} %" for group, value in accuracy.items())
