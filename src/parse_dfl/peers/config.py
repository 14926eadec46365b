"""The settings of a node, in a file that costs nothing to import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from parse_dfl.config import OverlayConfig, PeerConfig

MOST_SEED = 2**63 - 1
"""The largest number that an announcement holds."""


@dataclass(frozen=True, kw_only=True)
class NodeSettings:
    """What a node does besides learning.

    ``wait_for`` agents, this one included, must be there before it begins, within ``meet_s``.
    ``terms`` are announced, and must be the same at every site.
    It is scored every ``eval_every`` rounds but the last: that is for whoever started it.
    ``ends_diverged`` says whether it ends when its own parameters are no longer finite; else it
    goes on by itself.
    """

    overlay: OverlayConfig
    peer: PeerConfig
    terms: Mapping[str, str] = field(default_factory=dict)
    wait_for: int = 2
    meet_s: float = 60.0
    eval_every: int = 10
    checkpoint_every: int = 10
    ends_diverged: bool = True
