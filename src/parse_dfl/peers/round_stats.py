"""What a peer's exchange of one round came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(kw_only=True)
class RoundStats:
    """One round of one peer.

    ``payload_bytes`` counts numbers as float32 without framing (contract), by receiver;
    ``neighbours`` are the senders by branch; ``rounds`` how far each of them was when last heard
    of.  ``missing`` are those whose state did not come in time: their weight went to the own
    row.  ``staleness`` is by how many rounds the states that were mixed were behind; where all keep
    their own pace, how many own rounds ago they came.
    ``lockstep_lead`` is by how many rounds a neighbour can be ahead while all is well,
    ``refused_for_round`` how many messages were of rounds too far away to be taken.
    """

    round: int
    payload_bytes: Mapping[str, int]
    neighbours: Mapping[str, list[str]]
    rounds: Mapping[str, int]
    lockstep_lead: int
    refused_for_round: int = 0
    staleness: dict[str, int] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)

    @property
    def out_of_step(self) -> bool:
        """Whether most neighbours have gone on, or some are missing and others too far away."""
        ahead = [far for far in self.rounds.values() if far > self.round + self.lockstep_lead]
        return 2 * len(ahead) > len(self.rounds) or bool(self.refused_for_round and self.missing)
