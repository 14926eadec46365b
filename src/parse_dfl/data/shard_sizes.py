"""How many samples each agent is to have: ``64``, ``16..128`` or ``acc=64,acc+gyro=16..128``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from parse_dfl.agents import AgentSpec
from parse_dfl.errors import ConfigError, nearest
from parse_dfl.modalities import key, modality_set
from parse_dfl.numerals import whole

Sizes = NDArray[np.int64]  # shape=(agents,)
Bounds = tuple[int, int]

MOST_SAMPLES = 10**9
"""Sums over a million agents still fit an int64."""

HELP = "write 64, a range like 16..128, or either per modality set like acc=64,acc+gyro=32"


def shard_sizes(agents: Sequence[AgentSpec], request: str | int, rng: np.random.Generator) -> Sizes:
    """The size of each agent's shard; a range is drawn from log-uniformly.

    Raises:
        ConfigError: the request cannot be read, is below one, or does not name every modality
            set of the agents and no other.
    """
    text = str(request)
    if "=" in text:
        by_group = _by_group(text, agents)
        bounds = np.array([by_group[agent.group] for agent in agents])
    else:
        bounds = np.array([_bounds(text, text)] * len(agents))
    low, high = bounds[:, 0], bounds[:, 1]
    drawn: Sizes = np.exp(rng.uniform(np.log(low), np.log(high + 1))).astype(np.int64)
    return np.clip(drawn, low, high)


def _by_group(text: str, agents: Sequence[AgentSpec]) -> dict[str, Bounds]:
    groups = {agent.group for agent in agents}
    bounds: dict[str, Bounds] = {}
    for part in text.split(","):
        names, equals, size = part.partition("=")
        if not equals:
            raise ConfigError(f"cannot read samples per agent {text!r}; {HELP}")
        group = key(modality_set(names))
        if group not in groups:
            raise ConfigError(
                f"samples per agent {text!r}: no agent has the modality set {group!r}"
                f"{nearest(group, groups)}"
            )
        if group in bounds:
            raise ConfigError(f"samples per agent {text!r} names {group!r} twice; name it once")
        bounds[group] = _bounds(size, text)
    if missing := sorted(groups - set(bounds)):
        raise ConfigError(f"samples per agent {text!r} says nothing about {', '.join(missing)}")
    return bounds


def _bounds(size: str, text: str) -> Bounds:
    """``"64"`` as (64, 64), ``"16..128"`` as (16, 128)."""
    first, dots, last = size.strip().partition("..")
    low = whole(first)
    high = whole(last) if dots else low
    if low is None or high is None:
        raise ConfigError(f"cannot read samples per agent {text!r}; {HELP}")
    if not 1 <= low <= high <= MOST_SAMPLES:
        raise ConfigError(
            f"samples per agent {text!r} must be 1 or more, at most {MOST_SAMPLES}, the smaller "
            "bound first"
        )
    return low, high
