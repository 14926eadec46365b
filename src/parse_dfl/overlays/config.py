"""The settings of the overlays, in a file that costs nothing to import."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class OverlayConfig:
    """Who is whose neighbour, and who is away.

    ``topology`` is a name with optional parameters (``ring``, ``regular:4``,
    ``erdos-renyi:0.3``, ``file:PATH``).  ``by_samples`` mixes in proportion to the owners'
    sample counts instead of equally.  ``absence`` is the probability that an agent misses a
    round.
    """

    topology: str = "ring"
    by_samples: bool = False
    absence: float = 0.0
