"""Times of the simulator and of the plain loop, taken in turn: A B A B …"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch

from benchmarks.speed.jobs import TEST_SAMPLES, Job
from benchmarks.speed.plain_loop import PlainLoop


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How long to measure: at least ``pairs`` pairs, each of rounds of ``seconds`` together."""

    pairs: int = 5
    seconds: float = 0.1


@dataclass(frozen=True)
class Pair:
    """Seconds of one call of each, and how many times faster the simulator is.

    ``ratio`` is the median over pairs of loop time ÷ simulator time, in wall time;
    ``cpu_ratio`` the same in the process's CPU time, which other processes disturb less.
    """

    simulator: float
    loop: float
    ratio: float
    cpu_ratio: float


def compare(job: Job, effort: Effort) -> dict[str, Pair]:
    """Time a round, and an evaluation of every agent, of both."""
    simulator, loop = job.simulator(), PlainLoop(job)
    samples = torch.arange(TEST_SAMPLES)
    return {
        "round": _pair(simulator.step, loop.step, effort),
        "evaluation": _pair(
            lambda: simulator.evaluate(samples), lambda: loop.evaluate(samples), effort
        ),
    }


def _pair(first: Callable[[], object], second: Callable[[], object], effort: Effort) -> Pair:
    first_count, second_count = _calls(first, effort), _calls(second, effort)
    walls, cpus = [], []
    for _ in range(effort.pairs):
        mine, theirs = _time(first, first_count), _time(second, second_count)
        walls.append((mine[0], theirs[0]))
        cpus.append((mine[1], theirs[1]))
    return Pair(
        simulator=median(mine for mine, _ in walls),
        loop=median(theirs for _, theirs in walls),
        ratio=median(theirs / mine for mine, theirs in walls),
        cpu_ratio=median(theirs / mine for mine, theirs in cpus),
    )


def _calls(function: Callable[[], object], effort: Effort) -> int:
    """How many calls fill the time; warms the function up besides."""
    function()
    wall, _ = _time(function, 1)
    return max(1, round(effort.seconds / wall))


def _time(function: Callable[[], object], calls: int) -> tuple[float, float]:
    """Wall and CPU seconds a call."""
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(calls):
        function()
    return (time.perf_counter() - wall) / calls, (time.process_time() - cpu) / calls
