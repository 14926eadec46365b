"""The job that every package is given, and how its adapter is called.

D-SGD on a ring: an epoch of plain SGD on each agent's own samples, then the average of the own
parameters and both neighbours', in equal parts.  Nobody evaluates.  This file needs torch only, so
that it also runs where this package is not installed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

SAMPLES_PER_AGENT = 100
BATCH = 32
HIDDEN = 128
CLASSES = 10
LR = 0.05
WARM_UP_ROUNDS = 3


@dataclass(frozen=True, kw_only=True)
class RivalJob:
    """A federation of ``agents`` that train an MLP ``features``-128-10."""

    agents: int
    features: int
    rounds: int

    def samples(self, agent: int) -> tuple[Tensor, Tensor]:
        """An agent's inputs, shape=(S, features), and labels, shape=(S,): random numbers."""
        generator = torch.Generator().manual_seed(agent)
        inputs = torch.randn(SAMPLES_PER_AGENT, self.features, generator=generator)
        return inputs, torch.arange(SAMPLES_PER_AGENT) % CLASSES

    def network(self) -> nn.Sequential:
        """One agent's network."""
        return nn.Sequential(
            nn.Linear(self.features, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, CLASSES)
        )

    def ring(self) -> list[tuple[int, int]]:
        """The edges."""
        return [(agent, (agent + 1) % self.agents) for agent in range(self.agents)]


def adapter(seconds_per_round: Callable[[RivalJob], float]) -> None:
    """The command line of an adapter: its last line of output is the answer as JSON."""
    parser = argparse.ArgumentParser()
    for name in ("agents", "features", "rounds", "threads"):
        parser.add_argument(f"--{name}", type=int, required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    job = RivalJob(agents=options.agents, features=options.features, rounds=options.rounds)
    print(json.dumps({"seconds_per_round": seconds_per_round(job)}))
