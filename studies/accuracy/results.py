"""Results on disk: ``results/CELL/comparison.json``, written when a part of it is finished; cells
with agreed standardisation in ``results/agreed``.

Every such folder is a comparison that ``parse-dfl report`` reads; the folder of all of them is a
folder of comparisons.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from parse_dfl.io import to_plain
from parse_dfl.report.statistics import seed_values
from studies.accuracy.recipe import Cell, Unit
from studies.provenance import read_result, write_result

FILE = "comparison.json"
Entry = dict[str, Any]
"""A method's entry in a comparison, with its own ``seeds``, ``date`` and ``options``."""


def read_cell(results: Path, cell: Cell) -> dict[str, Any] | None:
    """Return the comparison of a cell, or None where none of it is finished."""
    path = results / cell.place / FILE
    found: dict[str, Any] | None = None
    if path.exists():
        found = read_result(path)
    return found


def entry_of(found: Mapping[str, Any] | None, method: str) -> Entry | None:
    """Return the entry of a method, or None where it is missing."""
    entry: Entry | None = (found or {"methods": {}})["methods"].get(method)
    return entry


def is_done(results: Path, unit: Unit) -> bool:
    """Return whether all seeds of a unit have a result."""
    entry = entry_of(read_cell(results, unit.cell), unit.method)
    return entry is not None and set(unit.seeds) <= set(entry["seeds"])


def add(results: Path, unit: Unit, made: Mapping[str, Any], stamp: Mapping[str, Any]) -> None:
    """Put what a unit gave, a comparison of one method, into its cell's file."""
    found = read_cell(results, unit.cell) or {"cell": vars(unit.cell)}
    ((method, entry),) = made["methods"].items()
    entry = {**entry, "seeds": list(unit.seeds), "options": made["options"], **stamp}
    config = {**made["config"], "method_options": {}}
    config["training"] = {**config["training"], "lr": None}
    methods = found.get("methods", {})
    methods[method] = merged(methods[method], entry) if method in methods else entry
    longest = max((own["seeds"] for own in methods.values()), key=len)
    told = {**found, "data": made["data"], "config": config, "seeds": longest, "methods": methods}
    path = results / unit.cell.place / FILE
    write_result(path, told)


def merged(first: Entry, second: Entry) -> Entry:
    """Return one entry of two whose seeds differ, the values in the order of the seeds."""
    seeds = [*first["seeds"], *second["seeds"]]
    places = sorted(range(len(seeds)), key=seeds.__getitem__)

    def both(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Any]:
        values = [*a["values"], *b["values"]]
        return dict(to_plain(seed_values([values[place] for place in places])))

    groups = {
        group: {score: both(own[score], second["groups"][group][score]) for score in own}
        for group, own in first["groups"].items()
    }
    return {
        **second,
        "groups": groups,
        "mean_accuracy": both(first["mean_accuracy"], second["mean_accuracy"]),
        "curve": [],
        "seconds": first["seconds"] + second["seconds"],
        "diverged": {**(first.get("diverged") or {}), **(second.get("diverged") or {})} or None,
        "seeds": [seeds[place] for place in places],
    }
