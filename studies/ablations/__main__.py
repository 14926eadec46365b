"""The ablations of ``ablations.toml``: a comparison per value, in results.

``python -m studies.ablations [NAME ...]`` runs what has no result yet.
"""

from __future__ import annotations

import argparse
import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parse_dfl.agents import key
from parse_dfl.config import RunConfig, with_values
from parse_dfl.errors import unknown
from parse_dfl.overlays.mixing_matrix import spectral_gap
from parse_dfl.runs.compare import compare
from parse_dfl.runs.setup import build_trial
from parse_dfl.runs.shared_setup import Overrides
from studies.ablations.encoders import Pretrained, frozen
from studies.ablations.test_time import left_out
from studies.accuracy.recipe import Cell, TopologySpec
from studies.accuracy.results import FILE
from studies.provenance import provenance, write_result

HERE = Path(__file__).parent
RESULTS = HERE / "results"
MODALITY_SET = re.compile(r"\w+(\+\w+)+")
"""Agents are called after their modalities in the order of the alphabet: ``bottom+top-0``."""


@dataclass(frozen=True)
class Ablation:
    """One value of one setting on one data set."""

    name: str
    values: Mapping[str, Any]
    cell: Cell
    value: Any

    @property
    def folder(self) -> str:
        """``topology_digits_regular-4``."""
        told = json.dumps(self.value) if not isinstance(self.value, str) else self.value
        clean = "".join(sign if sign.isalnum() or sign in ".+" else "-" for sign in told)
        return f"{self.name}_{self.cell.name}_{clean.strip('-') or 'none'}"


def ablations(names: Sequence[str] = ()) -> Iterator[Ablation]:
    """Yield every value of the settings called ``names`` (all), on every set.

    Raises:
        ConfigError: there is no such ablation.
    """
    table = tomllib.loads((HERE / "ablations.toml").read_text(encoding="utf-8"))
    run = table.pop("run")
    for name in names:
        if name not in table:
            raise unknown("ablation", name, table)
    for name in names or table:
        own = run | table[name]
        for data in own["sets"]:
            cell = Cell(data, own["mix"], own["partition"])
            for value in own.get("values", ["left out"]):
                yield Ablation(name, own, cell, value)


def run(ablation: Ablation, recipe: TopologySpec) -> dict[str, Any]:
    """Compare the ablation's methods, with their parameters and spectral gaps."""
    own = ablation.values
    methods: dict[str, Any] = {}
    for method in own["methods"]:
        config = configuration(ablation, recipe, method)
        if "without" in own:
            without = [_named(ablation, recipe, each) for each in own["without"]]
            made = left_out(config, own["seeds"], without)
        else:
            brought = Overrides(encoders={"frozen": frozen, "pretrained": Pretrained(config)})
            made = compare(config, [method], own["seeds"], overrides=brought)
            made["methods"][method] |= _structure(config, own["seeds"][0], brought)
        methods |= made["methods"]
    return {
        "asks": own["asks"],
        "value": ablation.value,
        **provenance(),
        **made,
        "methods": methods,
    }


def configuration(ablation: Ablation, recipe: TopologySpec, method: str) -> RunConfig:
    """Return the recipe's configuration with the one setting changed."""
    own = ablation.values
    training = recipe.values["training"] | own.get("training", {})
    config = recipe.configuration(
        ablation.cell, method, training=training, evaluate_on=own["evaluate_on"]
    )
    if "setting" not in own:
        return config
    return with_values(config, {own["setting"]: _named(ablation, recipe, ablation.value)})


def _named(ablation: Ablation, recipe: TopologySpec, value: Any) -> Any:
    """Return the value with the set's modalities in the place of its letters, where it has such."""
    if isinstance(value, str) and any(sign.isupper() for sign in value):
        spelt = recipe.spelt(ablation.cell.name, value)
        return MODALITY_SET.sub(lambda found: key(found[0].split("+")), spelt)
    if isinstance(value, list):
        return [_named(ablation, recipe, each) for each in value]
    if isinstance(value, dict):
        return {_named(ablation, recipe, key): each for key, each in value.items()}
    return value


def _structure(config: RunConfig, seed: int, brought: Overrides) -> dict[str, Any]:
    """Return parameters of an agent of each set, and the spectral gap of each branch's overlay."""
    simulator = build_trial(config, [seed], brought).simulator
    parameters = {
        stack.agents[0].group: sum(rows.width for rows in stack.rows.values())
        for stack in simulator.layout.stacks
    }
    gaps = {
        rows.branch.label: round(
            spectral_gap(simulator.mixing_cache.mixing(rows, simulator.stage, 1)), 4
        )
        for rows in simulator.layout.branches.values()
    }
    return {"parameters": parameters, "spectral_gap_of_round_1": gaps}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing; write each when it is finished."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="of the ablations (default: all)")
    parser.add_argument("--set", dest="sets", action="append", help="only this set; repeatable")
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args(arguments)
    recipe = TopologySpec()
    for ablation in ablations(asked.names):
        path = asked.out / ablation.folder / FILE
        if path.exists() or (asked.sets and ablation.cell.name not in asked.sets):
            continue
        made = run(ablation, recipe)
        write_result(path, made)
        means = {m: round(e["mean_accuracy"]["mean"], 3) for m, e in made["methods"].items()}
        print(ablation.folder, means, flush=True)


if __name__ == "__main__":
    main()
