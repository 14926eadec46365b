"""Accuracy of the faithful fission on the real sets, beside plain PARSE's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from parse_dfl.runs.compare import compare
from studies.accuracy.recipe import Cell, TopologySpec
from studies.provenance import provenance

MIX = "5+5+5"


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A method with its settings: ``lr`` and the method's own options."""

    name: str
    method: str
    settings: Mapping[str, float]


def measure(
    cell: Cell, variants: Sequence[Variant], *, seeds: Sequence[int], where: str
) -> dict[str, Any]:
    """Measure the accuracy of each variant over all agents and per group, by studies/accuracy's
    recipe."""
    recipe, found = TopologySpec(), {}
    for variant in variants:
        config = recipe.configuration(
            cell,
            variant.method,
            training=recipe.values["training"],
            evaluate_on=where,
            settings=variant.settings,
        )
        entry = compare(config, [variant.method], seeds)["methods"][variant.method]
        found[variant.name] = {
            "settings": dict(variant.settings),
            "mean_accuracy": entry["mean_accuracy"],
            "groups": {name: own["accuracy"]["mean"] for name, own in entry["groups"].items()},
            "payload_bytes_per_link": entry["payload_bytes_per_link"],
        }
    told = {name: round(100 * one["mean_accuracy"]["mean"], 2) for name, one in found.items()}
    about = {"cell": cell.folder, "evaluated_on": where, "seeds": list(seeds)}
    return provenance() | about | {"methods": found, "accuracy": told}
