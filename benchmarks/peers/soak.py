"""Peers that run for long, left alone or disturbed: memory and descriptors of each over time."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from math import inf
from pathlib import Path
from typing import Any

from benchmarks.peers.settings import SMALL, experiment
from benchmarks.peers.watch import Watch, cpu_seconds, descriptors, pss_bytes, watched

ROUND_S = 3.0
"""Rounds last so long: a soak must run beside other work, and not be disturbed by it."""

WARM_UP_ROUNDS = 20
"""Until then queues and caches fill."""

SAMPLE_EVERY_S = 30.0

LEASE_S, DEADLINE_S = 5.0, 4.0
HANG_S, DEAD_S, REST_S = 2 * LEASE_S, 3.0, 8.0
"""A disturbance lasts so long, the rest after it so long."""

QUIET_S = 90.0
"""After the disturbances: what is open then stays open."""


def soak(minutes: str) -> dict[str, Any]:
    """12 peers for so many minutes, left alone."""
    limit = 60 * float(minutes)
    with _peers() as watch:
        log = _Log(watch)
        watch.wait(lambda: log.seconds >= limit, log.sample)
        return {"minutes": float(minutes), **log.result()}


def unrest(minutes: str) -> dict[str, Any]:
    """12 peers, one after the other disturbed: six are killed and started again, the other six are
    stopped (SIGSTOP) beyond their lease and woken, and live on.  Then all are left alone."""
    limit = 60 * float(minutes)
    with _peers(peer__lease_s=LEASE_S, peer__deadline_s=DEADLINE_S) as watch:
        log = _Log(watch)
        disturbances = _disturbances(watch, lambda: log.seconds >= limit)
        due = 0.0

        def disturb() -> None:
            nonlocal due
            log.sample()
            if log.seconds >= due:
                due = log.seconds + next(disturbances, inf)

        watch.wait(lambda: log.seconds >= limit + QUIET_S, disturb)
        return {"minutes": float(minutes), **log.result()}


def _disturbances(watch: Watch, over: Callable[[], bool]) -> Iterator[float]:
    """Each step does something and says how long to wait for the next."""
    for turn in count():
        if over():
            return
        name = watch.names[turn % len(watch.names)]
        if turn % 2:
            watch.fleet.signal(name, signal.SIGSTOP)
            yield HANG_S
            watch.fleet.signal(name, signal.SIGCONT)
        else:
            watch.fleet.signal(name, signal.SIGKILL)
            yield DEAD_S
            watch.fleet.start(name, wait_for=2)
        yield REST_S


@contextmanager
def _peers(**values: object) -> Iterator[Watch]:
    """12 peers that have warmed up."""
    config = experiment(
        SMALL,
        training__rounds=1_000_000,
        peer__least_round_s=ROUND_S,
        checkpoint_every=20,
        eval_every=20,
        eval_samples=128,
        **values,
    )
    with tempfile.TemporaryDirectory() as folder, watched(config, Path(folder) / "x") as watch:
        watch.start()
        watch.wait(lambda: min(watch.rounds.values()) >= WARM_UP_ROUNDS)
        yield watch


class _Log:
    """What is seen of the peers from now on."""

    def __init__(self, watch: Watch) -> None:
        self._watch, self._begin = watch, time.monotonic()
        self._cpu_s = {pid: cpu_seconds(pid) for pid in watch.fleet.pids.values()}
        self._missing = 0
        self.samples: list[dict[str, Any]] = []

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._begin

    def sample(self) -> None:
        """Look at every process that is there, if it is time to."""
        if self.samples and self.seconds - self.samples[-1]["seconds"] < SAMPLE_EVERY_S:
            return
        self._forget_reports()
        pids = {n: p for n, p in self._watch.fleet.pids.items() if Path(f"/proc/{p}").exists()}
        self.samples.append(
            {
                "seconds": round(self.seconds, 1),
                "round": min(self._watch.rounds.values()),
                "load": round(os.getloadavg()[0], 1),
                "cpu_seconds": round(sum(map(self._cpu, pids.values())), 2),
                "pss_bytes": {name: pss_bytes(pid) for name, pid in pids.items()},
                "descriptors": {name: descriptors(pid) for name, pid in pids.items()},
                "missing": self._missing,
            }
        )
        print(self.samples[-1], flush=True)

    def result(self) -> dict[str, Any]:
        """For the records."""
        return {"peers": len(self._watch.names), "round_s": ROUND_S, "samples": self.samples}

    def _cpu(self, pid: int) -> float:
        return cpu_seconds(pid) - self._cpu_s.get(pid, 0.0)

    def _forget_reports(self) -> None:
        for own in self._watch.reports.values():
            self._missing += sum(len(report["missing"]) for report in own.values())
            own.clear()
