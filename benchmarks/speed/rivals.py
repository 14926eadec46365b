"""Other packages on the identical D-SGD job; each runs in an environment that holds it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.rivals.job import WARM_UP_ROUNDS
from benchmarks.speed.jobs import Job
from benchmarks.speed.timing import time_calls

RIVALS = ("murmura", "gossipy", "decentralizepy")
SMALL = 64
CASES = ((SMALL, 16), (SMALL, 100), (561, 100))
"""Features of the MLP, and agents."""
ROUNDS = 10
TURNS = 3
TIME_LIMIT_S = 120


@dataclass(frozen=True, kw_only=True)
class Duel:
    """Seconds a round of both, medians over turns, and the median of their ratios."""

    simulator: float
    rival_seconds: float
    ratio: float


def compare(
    rival: str, features: int, agents: int, python: str, threads: int, *, compiled: bool = False
) -> Duel | str:
    """Simulator and rival in turn, on one job; what the rival said where it failed."""
    inputs = f"vector-{features}"
    job = Job(inputs=inputs, method="dsgd-mlp", agents=agents, compiled=compiled)
    simulator = job.simulator()
    time_calls(simulator.step, WARM_UP_ROUNDS)
    turns = []
    for _ in range(TURNS):
        own, _ = time_calls(simulator.step, 5 * ROUNDS)
        other = _seconds(rival, features, agents, python, threads)
        if isinstance(other, str):
            return other
        turns.append((own, other))
    return Duel(
        simulator=median(own for own, _ in turns),
        rival_seconds=median(other for _, other in turns),
        ratio=median(other / own for own, other in turns),
    )


def _seconds(rival: str, features: int, agents: int, python: str, threads: int) -> float | str:
    command: Sequence[str] = (
        *(str(Path(python).absolute()), "-m", f"benchmarks.rivals.{rival}_job"),
        *("--agents", str(agents), "--features", str(features)),
        *("--rounds", str(ROUNDS), "--threads", str(threads)),
    )
    try:
        run = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=TIME_LIMIT_S
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {TIME_LIMIT_S} s"
    if run.returncode:
        return (run.stderr.strip().splitlines() or ["no message"])[-1][:200]
    seconds: float = json.loads(run.stdout.splitlines()[-1])["seconds_per_round"]
    return seconds
