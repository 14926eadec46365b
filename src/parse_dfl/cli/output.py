"""Where the output goes, and what a person is told about it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGINT
from typing import TYPE_CHECKING

from parse_dfl.cli.threads import add_threads
from parse_dfl.errors import RankError
from parse_dfl.experiments.config import RunConfig
from parse_dfl.experiments.records import is_ours

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
