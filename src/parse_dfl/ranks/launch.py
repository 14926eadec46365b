"""How this process was started: alone, or as one of several by ``torchrun``; costs no torch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

NEEDED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True, kw_only=True)
class Launch:
    """This process's number among ``size``, and among those of its machine."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def leads(self) -> bool:
        """Whether this process prints and writes files; one does, the first."""
        return self.rank == 0


def launch(environment: Mapping[str, str] = os.environ) -> Launch:
    """What ``torchrun`` (or whoever sets the same variables) says; one process if nobody does."""
    if any(name not in environment for name in NEEDED):
        return Launch()
    rank = int(environment["RANK"])
    return Launch(
        rank=rank,
        size=int(environment["WORLD_SIZE"]),
        local_rank=int(environment.get("LOCAL_RANK", rank)),
    )
