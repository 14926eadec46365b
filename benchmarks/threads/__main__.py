"""Time whole commands under several thread policies, alone and beside other work.

    python -m benchmarks.threads                     # all jobs, three times each
    python -m benchmarks.threads --jobs small --times 5

Policies take turns (A B C D, then D C B A, …), so that a change of the machine meets all of them.
Each policy is a set of environment variables or options; ``default`` is what the command does by
itself.  Beside other work means beside one process per processor that computes without a pause.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.speed.machine import machine
from benchmarks.threads.jobs import JOBS, write_data

VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "OMP_WAIT_POLICY",
    "GOMP_SPINCOUNT",
    "KMP_BLOCKTIME",
)
ALL = str(os.cpu_count())
POLICIES: dict[str, dict[str, str]] = {
    "spinning": {"OMP_NUM_THREADS": ALL, "GOMP_SPINCOUNT": "300000"},  # what libgomp does by itself
    "spinning shortly": {"OMP_NUM_THREADS": ALL, "GOMP_SPINCOUNT": "10000"},
    "passive": {"OMP_NUM_THREADS": ALL, "OMP_WAIT_POLICY": "passive"},
    "one": {"OMP_NUM_THREADS": "1"},
    "default": {},
}
BUSY = "x = 0\nwhile True: x += 1"


def main() -> None:
    """Measure, print a table and keep it by date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", default=",".join(JOBS))
    parser.add_argument("--policies", default=",".join(POLICIES))
    parser.add_argument("--loads", default="alone,busy")
    parser.add_argument("--times", type=int, default=3)
    options = parser.parse_args()
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        write_data(Path(folder))
        for job in options.jobs.split(","):
            for load in options.loads.split(","):
                with _others(os.cpu_count() or 1 if load == "busy" else 0):
                    seconds = _take_turns(
                        Path(folder), JOBS[job], options.policies.split(","), options.times
                    )
                for policy, values in seconds.items():
                    found.append({"job": job, "load": load, "policy": policy, "seconds": values})
                    shown = " ".join(f"{value:.1f}" for value in values)
                    print(f"{job:12} {load:6} {policy:22} {shown}", file=sys.stderr, flush=True)
    about = machine()
    path = Path(__file__).parent / "results" / f"{about['date'][:10]}-threads.json"
    path.parent.mkdir(exist_ok=True)
    result = {"machine": about, "argv": sys.argv[1:], "found": found}
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(table(found))


def table(found: Sequence[dict[str, Any]]) -> str:
    """A Markdown table of median seconds: a row per job and load, a column per policy."""
    policies = list(dict.fromkeys(each["policy"] for each in found))
    rows = list(dict.fromkeys((each["job"], each["load"]) for each in found))
    median = {
        (each["job"], each["load"], each["policy"]): statistics.median(each["seconds"])
        for each in found
    }
    lines = [f"| job | load | {' | '.join(policies)} |", "|---" * (2 + len(policies)) + "|"]
    for job, load in rows:
        cells = [f"{median[job, load, policy]:.1f}" for policy in policies]
        lines.append(f"| {job} | {load} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _take_turns(
    folder: Path, argv: Sequence[str], policies: Sequence[str], times: int
) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {policy: [] for policy in policies}
    for turn in range(times):
        for policy in policies if turn % 2 == 0 else policies[::-1]:
            seconds[policy].append(_timed(folder, argv, POLICIES[policy]))
    return seconds


def _timed(folder: Path, argv: Sequence[str], policy: dict[str, str]) -> float:
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    out = ("--out", str(folder / "out"), "--overwrite", "--quiet")
    begun = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "parse_dfl", *argv, *out],
        cwd=folder,
        env=environment | policy,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - begun


@contextmanager
def _others(count: int) -> Iterator[None]:
    busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
