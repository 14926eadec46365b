from __future__ import annotations

import signal

import pytest

from parse_dfl.config import RunConfig, with_values
from parse_dfl.runs.callbacks import SILENT

SMALL = {
    "agents": "top=2,bottom=2,bottom+top=2",
    "data.samples_per_agent": "16",
    "network.latent": 9,
    "network.hidden": 8,
    "training.rounds": 6,
    "training.batch_size": 8,
    "eval_every": 2,
    "eval_samples": 60,
    "checkpoint_every": 2,
}


class Stopper:
    """Presses Ctrl-C after a round, or kills the run there without a word."""

    def __init__(self, after: int, *, kill: bool = False) -> None:
        self.after, self.kill = after, kill

    def __getattr__(self, name):
        return getattr(SILENT, name)

    def round(self, done, accuracy):
        if done == self.after:
            if self.kill:
                raise Killed
            signal.raise_signal(signal.SIGINT)


class Killed(Exception):
    """Nothing of the package catches this."""


@pytest.fixture
def small():
    """A configuration of half a second: ``small(method="local", **{"training.lr": 0.1})``."""

    def make(**values) -> RunConfig:
        return with_values(RunConfig(), {**SMALL, **values})

    return make


@pytest.fixture
def stop_after():
    """``stop_after(3)`` presses Ctrl-C at the end of round 3."""
    return Stopper


@pytest.fixture
def killed():
    return Killed
