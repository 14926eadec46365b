"""What a run may hold in memory: how much is left to work with once its state lies there.

State grows with the agents and cannot be chunked: parameters and moments, a row an agent.  All
else is worked on in chunks of rows, whose size follows from what the limit leaves.
"""

from __future__ import annotations

import re
import resource
from pathlib import Path

from parse_dfl.errors import ConfigError

_UNITS = {"": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "kb": 10**3, "mb": 10**6,
          "gb": 10**9}  # fmt: skip
_PAGE_BYTES = resource.getpagesize()

EVALUATION_BYTES = 16 << 20
"""What an evaluation of the smallest chunks takes."""


def parse_memory(text: str) -> int:
    """Bytes of a text such as ``2GiB``, ``512 MiB`` or ``3000000000``.

    Raises:
        ConfigError: it is no size, or is zero.
    """
    found = re.fullmatch(r"([0-9]{1,18}(?:\.[0-9]{1,18})?)\s*([A-Za-z]*)", text.strip())
    if not found or found[2].lower() not in _UNITS or not float(found[1]):
        raise ConfigError(
            f"memory limit {text!r} is not a size; write it as 512MiB, 2GiB or a number of bytes"
        )
    return int(float(found[1]) * _UNITS[found[2].lower()])


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
    left = parse_memory(limit) - held_bytes - state_bytes
    if left < least_bytes + EVALUATION_BYTES:
        raise ConfigError(
            f"memory limit {limit} is too small: {show(needed)} are needed, {show(held_bytes)} for "
            f"libraries and data, {show(state_bytes)} for parameters and optimizer state of "
            f"{agents} agents, {show(least_bytes + EVALUATION_BYTES)} to work with; raise it, or "
            "train fewer agents, narrower networks, or with --optimizer sgd"
        )
    return left
