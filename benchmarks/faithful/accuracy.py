"""Accuracy of the faithful fission on the real sets, beside PARSE's (benchmarks/accuracy)."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.accuracy.recipe import RESULTS, Cell, configuration, load_recipe
from benchmarks.accuracy.tune import read_trials
from benchmarks.faithful.results import stamp
from parse_dfl import compare

CHOSEN = {"lr": 0.03, "modality_weight": 1.0, "contrastive_weight": 0.15}
"""The trial that became PARSE's default."""


def measure(
    cell: Cell, *, seeds: list[int], where: str, prices: tuple[float, ...] = (1.0,)
) -> dict[str, Any]:
    """Mean accuracy over all agents and per group at each price; PARSE's own as recorded."""
    recipe = load_recipe()
    found: dict[str, Any] = {}
    for price in prices:
        config = configuration(recipe, cell, evaluate_on=where, options={"price": price})
        entry = compare(config, ["parse-faithful"], seeds)["methods"]["parse-faithful"]
        found[f"price {price:g}"] = {
            "mean_accuracy": entry["mean_accuracy"],
            "groups": {name: own["accuracy"]["mean"] for name, own in entry["groups"].items()},
            "payload_bytes_per_link": entry["payload_bytes_per_link"],
        }
    told = {name: round(100 * one["mean_accuracy"]["mean"], 2) for name, one in found.items()}
    told["parse"] = round(100 * recorded(cell, where), 2)
    about = {"cell": cell.folder, "evaluated_on": where, "seeds": seeds}
    return stamp() | about | {"methods": found, "accuracy": told}


def recorded(cell: Cell, where: str) -> float:
    """PARSE's mean accuracy on the same seeds, from ``benchmarks/accuracy/results``."""
    if where == "test":
        text = (RESULTS / f"{cell.folder}.json").read_text(encoding="utf-8")
        return float(json.loads(text)["methods"]["parse"]["mean_accuracy"]["mean"])
    for row in read_trials():
        if (row["method"], row["cell"], row["trial"]) == ("parse", cell.folder, CHOSEN):
            return float(row["accuracy"])
    return float("nan")
