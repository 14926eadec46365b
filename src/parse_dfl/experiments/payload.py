"""How many bytes a run sent, counted round by round."""

from __future__ import annotations

from typing import Any

from parse_dfl.simulation.exchange import Payload
from parse_dfl.simulation.simulator import Simulator


class PayloadMeter:
    """Adds up the payload of every round; what cannot have changed is not computed again."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._layout = simulator.layout
        self._known: dict[int, Payload] = {}  # by stage, of this layout
        self._totals = {"rounds": 0, "bytes": 0, "per_link": 0.0, "largest": 0}

    def count(self) -> None:
        """Count the round that has just run."""
        payload = self._of_round()
        self._totals["rounds"] += 1
        self._totals["bytes"] += payload.total_bytes
        self._totals["per_link"] += payload.mean_bytes
        self._totals["largest"] = max(self._totals["largest"], payload.largest_bytes)

    def _of_round(self) -> Payload:
        simulator = self._simulator
        if simulator.varies:
            return simulator.payload()
        if simulator.layout is not self._layout:
            self._layout = simulator.layout
            self._known.clear()
        stage = simulator.stage_number
        if stage not in self._known:
            self._known[stage] = simulator.payload()
        return self._known[stage]

    def summary(self, federations: int) -> dict[str, Any]:
        """Means over the rounds, for one of so many federations side by side."""
        rounds = max(1, self._totals["rounds"])
        return {
            "payload_bytes_per_round": self._totals["bytes"] / rounds / federations,
            "payload_bytes_per_link": {
                "mean": self._totals["per_link"] / rounds,
                "max": self._totals["largest"],
            },
        }

    def state(self) -> dict[str, float]:
        """For a checkpoint."""
        return dict(self._totals)

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state` gave."""
        self._totals.update(state)
