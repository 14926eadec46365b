"""The file that keeps a run of the benchmark, written after every measurement, so that a run may
stop and go on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from time import monotonic
from typing import Any

from benchmarks.speed.machine import Others, machine

IDLE_CORES = 0.15
"""What other processes may use during a measurement; one that was disturbed more is taken again
when the run goes on."""
RESULTS = Path(__file__).parent / "results"
Cell = tuple[str, dict[str, Any], Callable[[], dict[str, Any]]]
"""A measurement: the part it belongs to, what identifies it in that part, and how to take it."""


class Store:
    """One run: the machine, and per part the rows measured so far."""

    def __init__(self, path: Path | None) -> None:
        """Go on with ``path``, or begin a file named by the date."""
        if path and path.exists():
            self.path: Path = path
            self.result: dict[str, Any] = json.loads(path.read_text())
        else:
            self.result = {"machine": machine()}
            date = self.result["machine"]["date"]
            stamp = "".join(character for character in date if character.isdigit())
            self.path = path or RESULTS / f"{stamp}.json"

    def take(self, cells: Iterable[Cell], within_s: float, *, keep: bool) -> bool:
        """Take the measurements that are missing or were disturbed, until the time is up.

        Returns whether all had their turn.
        """
        begin = monotonic()
        for part, identity, measure in cells:
            rows = self.result.setdefault(part, [])
            old = next((row for row in rows if identity.items() <= row.items()), None)
            if old and old["others"] <= IDLE_CORES:
                continue
            if monotonic() - begin > within_s:
                return False
            others = Others()
            new = identity | measure()
            new["others"] = round(others.cores(), 3)
            if old is None:
                rows.append(new)
            elif new["others"] <= old["others"]:
                rows[rows.index(old)] = new
            if keep:
                self.path.parent.mkdir(exist_ok=True)
                self.path.write_text(json.dumps(self.result, indent=1) + "\n")
        return True
