"""How time and memory grow with agents, parameters, degree and modalities.

Every job runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from math import log

import torch

from benchmarks.speed import ceilings
from benchmarks.speed.jobs import TEST_SAMPLES, Job
from benchmarks.speed.roofline import work
from parse_dfl.engine.simulator import Simulator
from parse_dfl.runs.results import peak_memory_bytes

SECONDS = 2.0
MOST_ROUNDS = 20
EVALUATE_EVERY = 10
"""Rounds between two evaluations in the run whose shares are reported; the default of a run."""

DEGREES = {2: "ring", 4: "regular:4", 8: "regular:8", 16: "regular:16"}
AGENTS = (100, 316, 1000, 3162, 10_000)
SERIES: dict[str, dict[float, Job]] = {
    "agents, D-SGD on mlp-64": {
        n: Job(inputs="vector-64", method="dsgd-mlp", agents=n) for n in AGENTS
    },
    "agents, PARSE on vectors": {
        n: Job(inputs="vector-64", method="parse", agents=n) for n in AGENTS
    },
    "agents, PARSE on series": {
        n: Job(inputs="series", method="parse", agents=n) for n in (100, 1000)
    },
    "agents, PARSE on images": {
        n: Job(inputs="image", method="parse", agents=n) for n in (100, 316)
    },
    "agents, PARSE of 50,000 parameters": {
        n: Job(inputs="vector-300", method="parse", agents=n, own_all=True)
        for n in (100, 1000, 10_000)
    },
    "hidden width, PARSE on vectors": {
        width: Job(inputs="vector-64", method="parse", agents=300, hidden=width)
        for width in (32, 64, 128, 256)
    },
    "degree, PARSE on vectors": {
        degree: Job(
            inputs="vector-64", method="parse", agents=1000, own_all=True, topology=topology
        )
        for degree, topology in DEGREES.items()
    },
    "modalities, PARSE on vectors": {
        count: Job(inputs="vector-64", method="parse", agents=300, modalities=count, own_all=True)
        for count in (1, 2, 3, 4)
    },
    "larger D-SGD": {n: Job(inputs="vector-561", method="dsgd-mlp", agents=n) for n in (100, 1000)},
}
"""By the name of a series, its jobs by the number that grows."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a federation costs: seconds of the parts of a round, memory, messages."""

    build: float  # making the simulator, its first overlays not included
    train: float
    mix: float
    data: float  # gathering the minibatches, measured alone; a part of ``train``
    evaluation: float  # of one evaluation
    parameters: int  # of all agents together
    operations: int | None  # of a round; None where the plain loop, whose work it is, lacks the job
    roofline: float | None  # of a round
    payload_bytes: int  # of a round, all links together
    baseline_bytes: int  # peak memory before the simulator was built
    peak_bytes: int

    @property
    def own_bytes(self) -> int:
        """What the simulator added."""
        return self.peak_bytes - self.baseline_bytes

    @property
    def round(self) -> float:
        """Seconds of a round without evaluation."""
        return self.train + self.mix

    def shares(self) -> dict[str, float]:
        """Of a run's time with an evaluation every ten rounds: each part's share."""
        evaluation = self.evaluation / EVALUATE_EVERY
        whole = self.round + evaluation
        return {
            "training": (self.train - self.data) / whole,
            "data": self.data / whole,
            "mixing": self.mix / whole,
            "evaluation": evaluation / whole,
        }


def measure(job: Job, threads: int) -> Cost:
    """The cost of a job, in a fresh process."""
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.speed.growth", json.dumps(asdict(job)), str(threads)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return Cost(**json.loads(run.stdout))


def exponent(sizes: tuple[float, float], values: tuple[float, float]) -> float:
    """The exponent of growth between two sizes: 1 is linear."""
    return log(values[1] / values[0]) / log(sizes[1] / sizes[0])


def _cost(job: Job) -> Cost:
    _rounds(replace(job, agents=3, topology="ring").simulator())  # libraries load on first use
    baseline = peak_memory_bytes()
    begin = time.perf_counter()
    simulator = job.simulator()
    build = time.perf_counter() - begin
    train, mix = _rounds(simulator)
    simulator.evaluate(torch.arange(TEST_SAMPLES))
    peak = peak_memory_bytes()
    own = work(job) if _is_plain(job) else None
    return Cost(
        build=build,
        train=train,
        mix=mix,
        data=_data_seconds(simulator, job.steps),
        evaluation=simulator.trainer.clock.evaluate,
        parameters=sum(rows.params.numel() for rows in simulator.layout.branches.values()),
        operations=own.operations if own else None,
        roofline=own.seconds(ceilings.measure()) if own else None,
        payload_bytes=simulator.payload().total_bytes,
        baseline_bytes=baseline,
        peak_bytes=peak,
    )


def _is_plain(job: Job) -> bool:
    """Whether the plain loop has the job's networks."""
    return job.hidden == Job.hidden and job.modalities == Job.modalities


def _rounds(simulator: Simulator) -> tuple[float, float]:
    """Seconds a round of training and of mixing, after a round to warm up."""
    simulator.step()
    clock = simulator.trainer.clock
    clock.train = clock.mix = 0.0
    begin, rounds = time.perf_counter(), 0
    while not rounds or (rounds < MOST_ROUNDS and time.perf_counter() - begin < SECONDS):
        simulator.step()
        rounds += 1
    return clock.train / rounds, clock.mix / rounds


def _data_seconds(simulator: Simulator, steps: int) -> float:
    begin = time.perf_counter()
    for stack in simulator.layout.stacks:
        for part in stack.parts:
            for _ in part.minibatches(simulator.round + 1, steps):
                pass
    return time.perf_counter() - begin


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[2]))
    print(json.dumps(asdict(_cost(Job(**json.loads(sys.argv[1]))))))
