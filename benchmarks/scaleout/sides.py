"""The sides that take turns: each a number of processes, and of threads in each."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.speed.jobs import Job


@dataclass(frozen=True)
class Turn:
    """Of a round, on average over a turn."""

    round: float  # seconds, of the slowest process
    train: float  # seconds, of the slowest
    exchange: float  # seconds from the moment when the last process is ready to exchange
    waiting: float  # seconds that the first to be ready waits for the last
    sent_bytes: int  # rows that crossed between processes, by all of them


class Side:
    """Processes that hold a job ready; use it in ``with``."""

    def __init__(self, job: Job, processes: int, threads: int, store: Path) -> None:
        told, size = json.dumps(asdict(job)), str(processes)
        module = [sys.executable, "-m", "benchmarks.scaleout.member"]
        self._members = [
            subprocess.Popen(
                [*module, told, str(rank), size, str(threads), str(store)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for rank in range(processes)
        ]
        found = self._answers()
        self.setup = max(each["setup"] for each in found)
        """Seconds to make the simulator."""
        self.peak_bytes = sum(each["peak_bytes"] for each in found)
        """Of all processes, the libraries included."""

    def turn(self, rounds: int) -> Turn:
        """Train so many rounds."""
        for member in self._members:
            assert member.stdin
            member.stdin.write(f"{rounds}\n")
            member.stdin.flush()
        found = self._answers()
        mix = [each["mix"] for each in found]
        return Turn(
            round=max(each["round"] for each in found),
            train=max(each["train"] for each in found),
            exchange=min(mix),
            waiting=max(mix) - min(mix),
            sent_bytes=sum(each["sent_bytes"] for each in found),
        )

    def _answers(self) -> list[dict[str, Any]]:
        lines = []
        for member in self._members:
            assert member.stdout
            lines.append(member.stdout.readline())
        if not all(lines):
            raise RuntimeError("a process of the benchmark ended; what it said stands above")
        return [json.loads(line) for line in lines]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the processes: without input they have nothing left to do."""
        for member in self._members:
            if error is not None:
                member.kill()  # it may wait for one that has ended
            member.communicate()
