"""What a fleet tells one of its peers, in a file that costs nothing to import."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Orders:
    """What a fleet tells one of its peers.

    ``certificates`` is the agent's folder of them, empty: insecure.  ``folder`` gets its
    checkpoints (in ``peers/NAME``) and its file (in ``agents``), empty: nothing is kept.
    """

    agent: str
    federation: str
    listen: str
    connect: tuple[str, ...]
    certificates: str
    folder: str
    wait_for: int
    meet_s: float
