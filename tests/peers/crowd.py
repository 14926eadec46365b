"""Peers as real processes, for tests: what they told, and waiting for what they will tell."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from pathlib import Path

from parse_dfl.config import RunConfig, with_values
from parse_dfl.runs.launcher import Launcher

PATIENCE_S = 240.0
"""Only a test that fails waits for so long."""

TINY = {
    "agents": "top=3,bottom=3,bottom+top=3",
    "data.samples_per_agent": "12..20",
    "network.latent": 9,
    "network.hidden": 8,
    "training.rounds": 40,
    "training.batch_size": 8,
    "training.local_steps": 2,
    "eval_every": 10,
    "eval_samples": 60,
    "checkpoint_every": 5,
    "engine": "peers",
    "peer.deadline_s": 3.0,
    "peer.lease_s": 3.0,
}
NAMES = [f"{group}-{number}" for group in ("top", "bottom", "bottom+top") for number in range(3)]


def tiny(**values: object) -> RunConfig:
    """A small experiment on digits."""
    named = {key.replace("__", "."): value for key, value in values.items()}
    return with_values(RunConfig(), {**TINY, **named})


class Crowd:
    """A fleet, and everything that its peers have told."""

    def __init__(self, fleet: Launcher, names: Iterable[str]) -> None:
        self.fleet, self.names = fleet, list(names)
        self.told: dict[str, list[dict]] = {name: [] for name in self.names}
        self.ended: set[str] = set()

    def start(self, names: Iterable[str] | None = None, **options: object) -> None:
        """Start peers, all of them unless told otherwise."""
        for name in names or self.names:
            self.ended.discard(name)
            self.fleet.start(name, **options)

    def wait(self, until: Callable[[], bool]) -> None:
        """Listen until something is so."""
        give_up = time.monotonic() + PATIENCE_S
        while not until():
            for name, message in self.fleet.events(0.2):
                if message["kind"] == "ended":
                    self.ended.add(name)
                else:
                    assert message["kind"] != "failed", f"{name}: {message['text']}"
                    self.told[name].append(message)
            assert time.monotonic() < give_up, {n: self.round(n) for n in self.names}

    def rounds(self, name: str) -> list[dict]:
        """What a peer told of its rounds."""
        return [message for message in self.told[name] if message["kind"] == "round"]

    def round(self, name: str) -> int:
        """The round that a peer told of last."""
        return max((message["round"] for message in self.rounds(name)), default=0)

    def reached(self, round: int, names: Iterable[str] | None = None) -> Callable[[], bool]:
        """Whether all have told of a round."""
        return lambda: all(self.round(name) >= round for name in names or self.names)

    def mixed_with(self, name: str) -> set[str]:
        """Whose states went into the round that a peer told of last."""
        last = self.rounds(name)[-1]
        return {other for own in last["neighbours"].values() for other in own} - set(
            last["missing"]
        )

    def done(self, name: str) -> dict | None:
        """What a peer told at its end."""
        return next((m for m in reversed(self.told[name]) if m["kind"] == "done"), None)

    def agreed(self) -> dict[str, dict]:
        """What each peer told of agreeing on the standardisation."""
        return {
            name: message
            for name, messages in self.told.items()
            for message in messages
            if message["kind"] == "agreed"
        }

    def all_done(self, names: Iterable[str] | None = None) -> Callable[[], bool]:
        """Whether all are at their end."""
        return lambda: all(self.done(name) for name in names or self.names)

    def neighbours(self, name: str, branch: str, round: int) -> list[str]:
        """With whom a peer exchanged a branch, such as ``top/backbone``, in a round."""
        found = [m for m in self.rounds(name) if m["round"] == round]
        return found[-1]["neighbours"].get(branch, [])


@contextmanager
def crowd(fleet: Launcher, names: Iterable[str], folder: Path):
    """A new federation of the fleet's experiment; its peers end with the context."""
    names = list(names)
    (folder / "agents").mkdir()
    fleet.enlist(names, folder)
    try:
        yield Crowd(fleet, names)
    finally:
        fleet.end_peers()
