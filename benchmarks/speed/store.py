"""The file that keeps a run of the benchmark, written after every measurement, so that a run may
stop and go on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from time import monotonic
from typing import Any

from benchmarks.speed.machine import Others, machine

IDLE_CORES = 0.3
"""What other processes may use during a measurement; one that was disturbed more is taken again
when the run goes on."""
RESULTS = Path(__file__).parent / "results"
Cell = tuple[str, dict[str, Any], Callable[[], dict[str, Any]]]
"""A measurement: the part it belongs to, what identifies it in that part, and how to take it."""


class Store:
    """One run: the machine, and per part the rows measured so far."""

    def __init__(self, path: Path | None, folder: Path = RESULTS, device: str = "cpu") -> None:
        """Go on with ``path``, or begin a file in ``folder`` that is named by the date."""
        if path and path.exists():
            self.path: Path = path
            self.result: dict[str, Any] = json.loads(path.read_text())
        else:
            self.result = {"machine": machine(device)}
            date = self.result["machine"]["date"]
            stamp = "".join(character for character in date if character.isdigit())
            self.path = path or folder / f"{stamp}.json"

    def take(self, cells: Iterable[Cell], within_s: float, *, keep: bool) -> bool:
        """Take the measurements that are missing, then those that were disturbed, until the time
        is up.

        Returns whether all had their turn.
        """
        begin = monotonic()
        known = [(cell, self._row(cell)) for cell in cells]
        missing = [(cell, old) for cell, old in known if old is None]
        disturbed = [(cell, old) for cell, old in known if old and old["others"] > IDLE_CORES]
        for cell, old in missing + disturbed:
            if monotonic() - begin > within_s:
                return False
            self._take(cell, old)
            if keep:
                self.path.parent.mkdir(exist_ok=True)
                self.path.write_text(json.dumps(self.result, indent=1) + "\n")
        return True

    def _row(self, cell: Cell) -> dict[str, Any] | None:
        """What is known of a measurement."""
        part, identity, _ = cell
        rows = self.result.get(part, [])
        return next((row for row in rows if identity.items() <= row.items()), None)

    def _take(self, cell: Cell, old: dict[str, Any] | None) -> None:
        part, identity, measure = cell
        rows = self.result.setdefault(part, [])
        others = Others()
        new = identity | measure()
        new["others"] = round(others.cores(), 3)
        if old is None:
            rows.append(new)
        elif new["others"] <= old["others"]:
            rows[rows.index(old)] = new
