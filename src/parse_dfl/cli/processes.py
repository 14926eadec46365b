"""Set up what a command runs on: threads of this process, and ranks that torchrun started."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from typing import TypeVar

from parse_dfl.cli.parser import positive
from parse_dfl.process import MOST_THREADS, THREADS, launch, processors, tune_process
from parse_dfl.runs.resuming import Kept

Value = TypeVar("Value")


def add_threads(parser: argparse._ActionsContainer) -> None:
    """Add the option."""
    parser.add_argument(
        "--threads",
        type=_threads,
        metavar="N|all",
        help="threads of the numerical libraries (default: OMP_NUM_THREADS, else 1; with --compile "
        "all processors); more pay for large networks on an idle machine; series and video give "
        "the same bits again only with the same number",
    )


def tune(args: argparse.Namespace) -> None:
    """Tune the process by ``--threads``, before a command loads torch.

    Where torch is loaded, somebody calls the command line from a program of their own: its threads
    are theirs, unless the option says otherwise.
    """
    asked = getattr(args, "threads", None)
    if asked is not None or "torch" not in sys.modules:
        args.threads_by_user = asked is not None or THREADS in os.environ
        tune_process(asked)


def tune_compiled(args: argparse.Namespace) -> None:
    """Give compiled steps, which run side by side, every processor, unless a user has chosen."""
    if not getattr(args, "threads_by_user", True):
        import torch

        torch.set_num_threads(processors())


def _threads(text: str) -> int:
    return processors() if text == "all" else positive(text, most=MOST_THREADS)


def agreed(read: Callable[[], Value]) -> Value:
    """Return what ``read`` gives; an error of any rank, such as a missing file, is raised on all.

    One process alone pays nothing for it.
    """
    if launch().size == 1:
        return read()
    from parse_dfl.ranks.group import launched_ranks

    with launched_ranks().raise_together():
        return read()


def kept(read: Callable[[], Kept]) -> Kept:
    """Return on every rank what the first reads of a folder, which other machines may lack."""
    if launch().size == 1:
        return read()
    from parse_dfl.ranks.group import launched_ranks

    ranks = launched_ranks()
    with ranks.raise_together():
        record = read().to_plain() if ranks.is_main else None
    return Kept.from_plain(ranks.broadcast(record))
