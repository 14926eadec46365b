"""``python -m benchmarks.scaleout``: measure, print the table, keep the result."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.scaleout.duel import Effort, compare
from benchmarks.speed.jobs import Job
from benchmarks.speed.store import Cell, Store

RESULTS = Path(__file__).parent / "results"
JOBS = (
    ("vector-64", "parse", 1000),
    ("vector-64", "parse", 10_000),
    ("series", "parse", 300),
    ("vector-64", "dsgd-mlp", 1000),
)
QUICK = (("vector-32", "parse", 6),)
HEAD = (
    "inputs", "method", "agents", "two ranks ms", "two threads ms", "one thread ms",
    "× two threads", "× one thread", "exchange", "waiting", "MB crossed", "set up s",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the benchmark; returns what it keeps."""
    options = _parser().parse_args(arguments)
    store = Store(options.resume, RESULTS)
    jobs, effort = JOBS, Effort(turns=options.turns)
    if options.quick:
        jobs, effort = QUICK, Effort(turns=2, seconds=0.0)
    done = store.take(_cells(jobs, effort), options.within, keep=not options.quick)
    print(render(store.result))
    if not done:
        print(f"time is up; go on with --resume {store.path}", file=sys.stderr)
    return store.result


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaleout", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tiny job, nothing is kept")
    parser.add_argument("--turns", type=int, default=5, help="of every side (5)")
    parser.add_argument(
        "--within", type=float, default=float("inf"), help="begin nothing after so many seconds"
    )
    parser.add_argument("--resume", type=Path, metavar="FILE", help="go on with this result")
    return parser


def _cells(jobs: Sequence[tuple[str, str, int]], effort: Effort) -> Iterator[Cell]:
    for inputs, method, agents in jobs:
        job = Job(inputs=inputs, method=method, agents=agents)
        identity = {"inputs": inputs, "method": method, "agents": agents}
        yield "duels", identity, lambda job=job: compare(job, effort)


def render(result: dict[str, Any]) -> str:
    """The table, under a line about the machine."""
    machine, duels = result["machine"], result["duels"]
    busiest = max(row["others"] for row in duels)
    about = (
        f"{machine['date']}: {machine['processor']}, {machine['cores']} cores, torch "
        f"{machine['torch']}; meanwhile other processes used at most {busiest:.2f} cores."
    )
    rows = [HEAD, ["---"] * len(HEAD), *(_row(row) for row in duels)]
    return "\n".join([about, "", *(f"| {' | '.join(cells)} |" for cells in rows)])


def _row(row: dict[str, Any]) -> list[str]:
    ranks = row["ranks"]
    return [
        *(str(row[name]) for name in ("inputs", "method", "agents")),
        *(f"{1000 * row[side]['round']:.0f}" for side in ("ranks", "threads", "one")),
        *(f"{row[f'times_{side}']:.2f}" for side in ("threads", "one")),
        *(f"{ranks[part] / ranks['round']:.1%}" for part in ("exchange", "waiting")),
        f"{ranks['sent_bytes'] / 1e6:.2f}",
        f"{ranks['setup']:.1f}",
    ]


if __name__ == "__main__":
    main()
