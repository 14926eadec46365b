"""``python -m benchmarks.speed``: measure, print the table, keep the result."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import product
from typing import Any

import torch

from benchmarks.speed import memory, tables
from benchmarks.speed.jobs import INPUTS, METHODS, Job
from benchmarks.speed.machine import machine
from benchmarks.speed.timing import Effort, compare

AGENTS = (16, 100)
MEMORY_AGENTS = (100, 1000, 4000)
MEMORY_INPUTS = "vector-64"
QUICK = Effort(pairs=2, seconds=0.0)


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the benchmark; returns what it keeps."""
    options = _parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    quick = options.quick
    result: dict[str, Any] = {"machine": machine()}
    jobs = [("vector-32", method, 6) for method in METHODS] if quick else _jobs()
    result["times"] = list(_times(jobs, QUICK if quick else Effort()))
    result["memory"] = [] if quick else list(_memory())
    print(tables.render(result))
    if not quick:
        stamp = "".join(character for character in result["machine"]["date"] if character.isdigit())
        path = tables.RESULTS / f"{stamp}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(result, indent=1) + "\n")
        tables.update_readme()
    return result


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one tiny job, nothing is kept")
    parser.add_argument("--threads", type=int, default=1, help="torch's threads, for both sides")
    return parser


def _jobs() -> list[tuple[str, str, int]]:
    return list(product(INPUTS, METHODS, AGENTS))


def _times(jobs: Sequence[tuple[str, str, int]], effort: Effort) -> Iterator[dict[str, Any]]:
    for inputs, method, agents in jobs:
        job = Job(inputs=INPUTS[inputs], method=method, agents=agents)
        for part, pair in compare(job, effort).items():
            row = {"inputs": inputs, "method": method, "agents": agents, "part": part}
            print(*row.values(), f"{pair.ratio:.2f}", file=sys.stderr, flush=True)
            yield row | asdict(pair)


def _memory() -> Iterator[dict[str, Any]]:
    for method in METHODS:
        before = None
        for agents in MEMORY_AGENTS:
            peak = memory.measure(MEMORY_INPUTS, method, agents)
            yield {
                "inputs": MEMORY_INPUTS,
                "method": method,
                **asdict(peak),
                "own_bytes": peak.own_bytes,
                "exponent": None if before is None else memory.growth(before, peak),
            }
            before = peak


if __name__ == "__main__":
    main()
