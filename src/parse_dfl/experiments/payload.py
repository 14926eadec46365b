"""How many bytes a run sent, counted round by round."""

from __future__ import annotations

from typing import Any

from parse_dfl.simulation.exchange import Payload
from parse_dfl.simulation.simulator import Simulator


class PayloadTotals:
    """Adds up the payload of every round."""

    def __init__(self) -> None:
        self._totals = {"rounds": 0, "bytes": 0, "per_link": 0.0, "largest": 0}

    def add(self, payload: Payload) -> None:
        """Count one round."""
        self._totals["rounds"] += 1
        self._totals["bytes"] += payload.total_bytes
        self._totals["per_link"] += payload.mean_bytes
        self._totals["largest"] = max(self._totals["largest"], payload.largest_bytes)

    def add_once(self, payload: Payload) -> None:
        """Count what was sent before the first round; it spreads over all rounds."""
        self._totals["bytes"] += payload.total_bytes
        self._totals["per_link"] += payload.mean_bytes

    def summary(self, federations: int = 1) -> dict[str, Any]:
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


class PayloadMeter(PayloadTotals):
    """Of a simulator; what cannot have changed since the round before is not computed again."""

    def __init__(self, simulator: Simulator) -> None:
        super().__init__()
        self._simulator = simulator
        self._layout = simulator.layout
        self._known: dict[int, Payload] = {}  # by stage, of this layout

    def count(self) -> None:
        """Count the round that has just run."""
        self.add(self._of_round())

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
