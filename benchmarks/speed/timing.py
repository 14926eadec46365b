"""Times of the simulator and of the plain loop, taken in turn: A B A B …"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch

from benchmarks.speed import ceilings
from benchmarks.speed.jobs import TEST_SAMPLES, Job
from benchmarks.speed.plain_loop import PlainLoop
from benchmarks.speed.roofline import work


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How long to measure: ``pairs`` pairs, each of rounds of ``seconds`` together; fewer pairs,
    but two at least, where they would last longer than ``most_seconds``."""

    pairs: int = 5
    seconds: float = 0.1
    most_seconds: float = 15.0


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


@dataclass(frozen=True)
class Roofline:
    """The least seconds that a round could take, by the rates of the moment."""

    roofline: float
    least: float  # the same where local steps never leave the cache
    operations_per_s: float
    bytes_per_s: float


def compare_rounds(job: Job, effort: Effort) -> tuple[Pair, Roofline]:
    """Time a round of both, and measure what the machine could do before and after."""
    simulator, loop = job.simulator(), PlainLoop(job)
    before = ceilings.measure(job.device)
    pair = _pair(simulator.step, loop.step, effort, job.device)
    after = ceilings.measure(job.device)
    rates = ceilings.Ceilings(
        operations_per_s=(before.operations_per_s + after.operations_per_s) / 2,
        bytes_per_s=(before.bytes_per_s + after.bytes_per_s) / 2,
    )
    own = work(job)
    return pair, Roofline(
        own.seconds(rates), own.least_seconds(rates), rates.operations_per_s, rates.bytes_per_s
    )


def compare_evaluations(job: Job, effort: Effort) -> Pair:
    """Time an evaluation of every agent, of both."""
    simulator, loop = job.simulator(), PlainLoop(job)
    samples = torch.arange(TEST_SAMPLES)
    mine, theirs = lambda: simulator.evaluate(samples), lambda: loop.evaluate(samples)
    return _pair(mine, theirs, effort, job.device)


def _pair(
    first: Callable[[], object], second: Callable[[], object], effort: Effort, device: str
) -> Pair:
    first_count, first_seconds = _calls(first, effort, device)
    second_count, second_seconds = _calls(second, effort, device)
    fitting = int(effort.most_seconds / (first_seconds + second_seconds))
    walls, cpus = [], []
    for _ in range(min(effort.pairs, max(2, fitting))):
        mine = time_calls(first, first_count, device)
        theirs = time_calls(second, second_count, device)
        walls.append((mine[0], theirs[0]))
        cpus.append((mine[1], theirs[1]))
    return Pair(
        simulator=median(mine for mine, _ in walls),
        loop=median(theirs for _, theirs in walls),
        ratio=median(theirs / mine for mine, theirs in walls),
        cpu_ratio=median(theirs / mine for mine, theirs in cpus),
    )


def _calls(function: Callable[[], object], effort: Effort, device: str) -> tuple[int, float]:
    """How many calls fill the time, and the seconds they take; what the first one alone does, such
    as compiling, does not count."""
    time_calls(function, 1, device)
    wall, _ = time_calls(function, 1, device)
    count = max(1, round(effort.seconds / wall))
    return count, count * wall


def time_calls(
    function: Callable[[], object], calls: int, device: str = "cpu"
) -> tuple[float, float]:
    """Wall and CPU seconds a call, until the device is done with it."""
    ceilings.wait_for(device)
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(calls):
        function()
    ceilings.wait_for(device)
    return (time.perf_counter() - wall) / calls, (time.process_time() - cpu) / calls
