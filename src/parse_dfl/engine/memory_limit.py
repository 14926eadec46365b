"""What a run may hold in memory: how much is left to work with once its state lies there.

State grows with the agents and cannot be chunked: parameters and moments, a row an agent.  All
else is worked on in chunks of rows, whose size follows from what the limit leaves.
"""

from __future__ import annotations

import resource
from pathlib import Path

from parse_dfl.errors import ConfigError
from parse_dfl.text import memory_bytes

_PAGE_BYTES = resource.getpagesize()

EVALUATION_BYTES = 16 << 20
"""What an evaluation of the smallest chunks takes."""


def show(size_bytes: float) -> str:
    """A size for people."""
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB")):
        if abs(size_bytes) >= unit:
            return f"{size_bytes / unit:.1f} {name}"
    return f"{size_bytes / 1024:.0f} KiB"


def resident_bytes() -> int:
    """What this process holds now (where the system does not tell: held at most so far)."""
    pages = Path("/proc/self/statm")
    if pages.exists():
        return int(pages.read_text().split()[1]) * _PAGE_BYTES
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def working_bytes(
    limit: str | None, *, held_bytes: int, state_bytes: int, least_bytes: int, agents: int
) -> int | None:
    """What ``limit`` leaves for training and evaluation; None: as much as they like.

    ``held_bytes`` lie there already: libraries and data; ``state_bytes`` will: parameters and
    moments of all agents; ``least_bytes`` is what working on one row at a time takes.

    Raises:
        ConfigError: that does not fit; the message says what would.
    """
    if limit is None:
        return None
    needed = held_bytes + state_bytes + least_bytes + EVALUATION_BYTES
    left = memory_bytes(limit) - held_bytes - state_bytes
    if left < least_bytes + EVALUATION_BYTES:
        raise ConfigError(
            f"memory limit {limit} is too small: {show(needed)} are needed, {show(held_bytes)} for "
            f"libraries and data, {show(state_bytes)} for parameters and optimizer state of "
            f"{agents} agents, {show(least_bytes + EVALUATION_BYTES)} to work with; raise it, or "
            "train fewer agents, narrower networks, or with --optimizer sgd"
        )
    return left
