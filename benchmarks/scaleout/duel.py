"""One job on all sides, which take turns: A B C A B C …"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.scaleout.sides import Side, Turn
from benchmarks.speed.jobs import Job

SIDES = {"ranks": (2, 1), "threads": (1, 2), "one": (1, 1)}
"""Processes, and threads in each: two ranks, one process with two threads, one with one."""


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How often each side has its turn, and how long one lasts at least."""

    turns: int = 5
    seconds: float = 2.0


def compare(job: Job, effort: Effort) -> dict[str, Any]:
    """Of every side medians over its turns, and medians of how many times faster the ranks are."""
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        sides = {
            name: stack.enter_context(Side(job, *size, Path(folder) / name))
            for name, size in SIDES.items()
        }
        rounds = {name: _rounds(side, effort) for name, side in sides.items()}
        turns: dict[str, list[Turn]] = {name: [] for name in sides}
        for _ in range(effort.turns):
            for name, side in sides.items():
                turns[name].append(side.turn(rounds[name]))
        found: dict[str, Any] = {
            name: _medians(turns[name]) | {"setup": side.setup, "peak_bytes": side.peak_bytes}
            for name, side in sides.items()
        }
        for name in ("threads", "one"):
            found[f"times_{name}"] = _times(turns["ranks"], turns[name])
        return found


def _rounds(side: Side, effort: Effort) -> int:
    """How many fill a turn."""
    return max(1, round(effort.seconds / side.turn(1).round))


def _medians(turns: list[Turn]) -> dict[str, float]:
    return {name: median(getattr(turn, name) for turn in turns) for name in Turn.__annotations__}


def _times(ranks: list[Turn], others: list[Turn]) -> float:
    return median(theirs.round / own.round for own, theirs in zip(ranks, others, strict=True))
