"""How long a person waits before anything happens: help, and the first round of the default run."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

REPEATS = 9
PATIENCE_S = 300.0


@dataclass(frozen=True)
class Wait:
    """Seconds from starting a process, over some repeats after one that warms the files up."""

    median_s: float
    longest_s: float
    repeats: int


def measure(name: str, repeats: int = REPEATS) -> Wait:
    """The wait of one of :data:`WAITS`."""
    waits = [WAITS[name]() for _ in range(1 + repeats)][1:]
    return Wait(statistics.median(waits), max(waits), repeats)


def _help() -> float:
    begin = time.perf_counter()
    subprocess.run(_command("--help"), check=True, capture_output=True, env=environment())
    return time.perf_counter() - begin


def _first_round() -> float:
    """Until the default run has kept what it measured after its first round."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        arguments = ("run", "--eval-every", "1", "--quiet", "--out", str(out))
        begin = time.perf_counter()
        process = subprocess.Popen(_command(*arguments), env=environment())
        try:
            while not _has_a_line(out / "metrics.jsonl"):
                waited = time.perf_counter() - begin
                if process.poll() is not None or waited > PATIENCE_S:
                    raise RuntimeError(f"no round was finished; exit status {process.poll()}")
                time.sleep(0.005)
            return time.perf_counter() - begin
        finally:
            process.kill()
            process.wait()


WAITS: Mapping[str, Callable[[], float]] = {
    "parse-dfl --help": _help,
    "first round of parse-dfl run": _first_round,
}


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "parse_dfl", *arguments]


def environment() -> dict[str, str]:
    """As a person has it: modules are kept compiled."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def _has_a_line(path: Path) -> bool:
    return path.exists() and b"\n" in path.read_bytes()
