"""Peak memory of a run, each size in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from math import log

import torch

from benchmarks.speed.jobs import INPUTS, Job
from parse_dfl.experiments.outcome import peak_memory_bytes

ROUNDS = 2


@dataclass(frozen=True, kw_only=True)
class Peak:
    """Peak resident memory of a process, and what of it stood before the simulator was built."""

    agents: int
    baseline_bytes: int
    peak_bytes: int

    @property
    def own_bytes(self) -> int:
        """What the simulator added."""
        return self.peak_bytes - self.baseline_bytes


def measure(inputs: str, method: str, agents: int) -> Peak:
    """Run a few rounds in a fresh process."""
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.speed.memory", inputs, method, str(agents)],
        check=True,
        capture_output=True,
        text=True,
    )
    return Peak(agents=agents, **json.loads(run.stdout))


def growth(smaller: Peak, larger: Peak) -> float:
    """The exponent of growth between two sizes: 1 is linear."""
    return log(larger.own_bytes / smaller.own_bytes) / log(larger.agents / smaller.agents)


def _main(inputs: str, method: str, agents: int) -> None:
    torch.set_num_threads(1)
    _run(inputs, method, 3)  # libraries load what they need on first use
    baseline = peak_memory_bytes()
    _run(inputs, method, agents)
    print(json.dumps({"baseline_bytes": baseline, "peak_bytes": peak_memory_bytes()}))


def _run(inputs: str, method: str, agents: int) -> None:
    simulator = Job(inputs=INPUTS[inputs], method=method, agents=agents).simulator()
    for _ in range(ROUNDS):
        simulator.step()


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
