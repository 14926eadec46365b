"""How a run is going, on stderr: a live bar on a terminal, else a line an evaluation."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from parse_dfl.experiments.listeners import SILENT, Listener
from parse_dfl.ranks.launch import launch
from parse_dfl.safe_names import as_given

if TYPE_CHECKING:
    from rich.console import Console


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
