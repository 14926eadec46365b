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

    ``robust`` takes the place of averaging where members may lie: ``none``, ``clipping``,
    ``balance`` or ``trimmed-mean``, with settings as ``clipping:attackers=2``
    (:mod:`parse_dfl.methods.byzantine_rules`).  ``attackers`` are agents that a simulator lets lie,
    ``AGENT:ATTACK`` (:mod:`parse_dfl.byzantine`).
    """

    topology: str = "ring"
    by_samples: bool = False
    absence: float = 0.0
    robust: str = "none"
    attackers: tuple[str, ...] = ()
