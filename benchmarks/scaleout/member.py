"""One process of a side: a rank, or the only one.

``python -m benchmarks.scaleout.member JOB RANK SIZE THREADS STORE`` says how long it took to set
up, then trains as many rounds as each line of its input says, and answers what they took.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from benchmarks.speed.jobs import Job
from parse_dfl.engine.simulator import Simulator, build_simulator
from parse_dfl.ranks.group import Ranks
from parse_dfl.ranks.simulator import build_rank_simulator
from parse_dfl.runs.results import peak_memory_bytes


class CountingRanks(Ranks):
    """Ranks that know how many bytes of rows this one has sent."""

    sent_bytes = 0

    def exchange(self, outgoing: Mapping[int, Tensor], incoming: Mapping[int, Tensor]) -> None:
        """Send and count."""
        self.sent_bytes += sum(value.nbytes for value in outgoing.values())
        super().exchange(outgoing, incoming)


def main(job: Job, rank: int, size: int, store: str) -> None:
    """Set up, warm up, and train when told to."""
    ranks = CountingRanks()
    if size > 1:
        ranks = CountingRanks.join(dist.FileStore(store, size), rank, size)
    begin = time.perf_counter()
    build = partial(build_rank_simulator, ranks=ranks) if size > 1 else build_simulator
    simulator = job.simulator(build)
    built = time.perf_counter() - begin
    simulator.step()
    _answer(setup=built, peak_bytes=peak_memory_bytes())
    for line in sys.stdin:
        _answer(**_train(simulator, ranks, int(line)))


def _train(simulator: Simulator, ranks: CountingRanks, rounds: int) -> dict[str, float]:
    """Seconds a round, those of its parts, and the bytes of rows sent in one."""
    clock, sent = simulator.trainer.clock, ranks.sent_bytes
    clock.train = clock.mix = 0.0
    begin = time.perf_counter()
    for _ in range(rounds):
        simulator.step()
    return {
        "round": (time.perf_counter() - begin) / rounds,
        "train": clock.train / rounds,
        "mix": clock.mix / rounds,
        "sent_bytes": (ranks.sent_bytes - sent) // rounds,
    }


def _answer(**content: Any) -> None:
    print(json.dumps(content), flush=True)


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[4]))
    main(Job(**json.loads(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3]), sys.argv[5])
