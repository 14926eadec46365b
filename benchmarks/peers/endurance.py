"""Peers that are killed and started again: what it costs in accuracy."""

from __future__ import annotations

import random
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.peers.settings import SMALL, experiment
from benchmarks.peers.watch import watched

SEED = 1
LAST_KILL = 0.8
"""Kills happen in the first four fifths of the rounds, so that the last can come back."""


def churn(_: str) -> dict[str, Any]:
    """100 rounds of 12 peers, a third killed at random times and started again; and undisturbed."""
    calm, disturbed = _run(set()), _run(set(range(0, 12, 3)))
    return {
        "rounds": 100,
        "peers": 12,
        "killed": disturbed["killed"],
        "finished": disturbed["finished"],
        "mean_accuracy_undisturbed": calm["accuracy"],
        "mean_accuracy_disturbed": disturbed["accuracy"],
        "points_lost": 100 * (calm["accuracy"] - disturbed["accuracy"]),
        "seconds_undisturbed": calm["seconds"],
        "seconds_disturbed": disturbed["seconds"],
    }


def _run(victims: set[int]) -> dict[str, Any]:
    rounds, draw = 100, random.Random(SEED)
    config = experiment(
        SMALL, training__rounds=rounds, peer__deadline_s=5.0, peer__lease_s=5.0, checkpoint_every=5
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        watched(config, Path(folder) / "x", bootstraps=3) as watch,
    ):
        names = [watch.names[number] for number in sorted(victims)]
        kill_at = {name: draw.randint(5, int(LAST_KILL * rounds)) for name in names}
        back_after = {name: draw.uniform(0.5, 5.0) for name in names}
        dead: dict[str, float] = {}

        def disturb() -> None:
            now = time.monotonic()
            for name in list(kill_at):
                if watch.rounds[name] >= kill_at[name]:
                    watch.fleet.signal(name, signal.SIGKILL)
                    dead[name] = now + back_after[name]
                    del kill_at[name]
            for name in [name for name, due in dead.items() if now >= due]:
                del dead[name]
                watch.fleet.start(name, wait_for=2)

        begin = time.monotonic()
        watch.start()
        watch.wait(watch.all_done, disturb)
        accuracies = [done["scores"]["accuracy"] for done in watch.done.values()]
        return {
            "killed": len(names) - len(kill_at),
            "finished": sum(done["round"] == rounds for done in watch.done.values()),
            "accuracy": sum(accuracies) / len(accuracies),
            "seconds": time.monotonic() - begin,
        }
