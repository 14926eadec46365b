"""A fleet under observation: rounds heard of, memory, file descriptors, bytes on loopback."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from parse_dfl.config import RunConfig
from parse_dfl.runs.launcher import Launcher
from parse_dfl.runs.setup import prepare

PATIENCE_S = 3000.0


class Watch:
    """What the peers of a fleet have told."""

    def __init__(self, fleet: Launcher) -> None:
        self.fleet = fleet
        self.names = list(fleet.addresses)
        self.rounds = dict.fromkeys(self.names, 0)
        self.reports: dict[str, dict[int, dict[str, Any]]] = {name: {} for name in self.names}
        self.done: dict[str, dict[str, Any]] = {}

    def start(self) -> None:
        """Start all."""
        for name in self.names:
            self.fleet.start(name)

    def wait(self, until: Callable[[], bool], each: Callable[[], None] = lambda: None) -> None:
        """Listen until something is so, and do ``each`` a few times a second."""
        give_up = time.monotonic() + PATIENCE_S
        while not until():
            for name, message in self.fleet.events(0.2):
                if message["kind"] == "round":
                    self.rounds[name] = message["round"]
                    self.reports[name][message["round"]] = message
                elif message["kind"] == "done":
                    self.done[name] = message
                elif message["kind"] == "failed":
                    raise RuntimeError(f"{name}: {message['text']}")
            each()
            if time.monotonic() > give_up:
                raise TimeoutError(str(self.rounds))

    def all_done(self) -> bool:
        """Whether everybody is at the end."""
        return len(self.done) == len(self.names)


@contextmanager
def watched(
    config: RunConfig, folder: Path | None = None, *, bootstraps: int = 1
) -> Iterator[Watch]:
    """A fleet of the experiment, its peers not started."""
    with Launcher(config, folder, bootstraps=bootstraps) as fleet:
        found = prepare(config, [config.seed])
        if folder:
            (folder / "agents").mkdir(parents=True)
        fleet.enlist([shard.agent.name for shard in found.agent_data])
        yield Watch(fleet)


def loopback_bytes() -> int:
    """Bytes that crossed this network namespace's loopback, headers included."""
    for line in Path("/proc/net/dev").read_text().splitlines():
        name, _, counters = line.partition(":")
        if name.strip() == "lo":
            return int(counters.split()[0])
    raise RuntimeError("there is no loopback")


def pss_bytes(pid: int) -> int:
    """The proportional memory of a process: its own, and its part of what is shared."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"no PSS of {pid}")


def descriptors(pid: int) -> int:
    """Open file descriptors of a process."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def cpu_seconds(pid: int) -> float:
    """Processor time of a process, of all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
