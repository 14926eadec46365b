"""A clear modality beside a weak one: who owns both should do as well as with the clear one alone.

``python -m studies.clear_weak`` runs every method on every set on validation data,
with seeds that no test run uses, the settings of the matrix core-agreed and 5 + 5 + 5 agents, and
writes results/SET_METHOD.json; what has a result is skipped.  ``table`` prints them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parse_dfl.config import RunConfig
from parse_dfl.data.catalog import load
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.data.mapping import from_mapping
from parse_dfl.runs.compare import compare
from parse_dfl.runs.shared_setup import Overrides
from studies.accuracy.recipe import Cell, TopologySpec
from studies.provenance import provenance, read_result, write_result

RESULTS = Path(__file__).with_name("results")
SEEDS = (100, 101, 102)
GROUPS = ("clear", "weak", "clear+weak")
METHODS = (
    "parse", "parse (plain sum)", "parse-adaptive", "harmony", "dsgd-hybrid", "dsgd-task",
    "dsgd-modality", "local",
)  # fmt: skip
PLAIN = " (plain sum)"


def vectors(width: int, apart: float, *, classes: int = 3) -> MultimodalData:
    """Draw two clear numbers around the corners of a polygon, and ``width`` weak ones."""
    rng = np.random.default_rng(0)
    label = np.arange(2000) % classes
    angle = 2 * np.pi * label / classes
    clear = 3 * np.stack([np.cos(angle), np.sin(angle)], 1) + rng.normal(size=(len(label), 2))
    centres = apart * rng.normal(size=(classes, width))
    weak = centres[label] + rng.normal(size=(len(label), width))
    return from_mapping("vectors", {"clear": clear, "weak": weak}, label)


def drowned(name: str, clear: str, weak: str, noise: float) -> MultimodalData:
    """Take two modalities of a set, the weak one under noise of so many of its deviations."""
    data = load(name, modalities=(clear, weak))
    rng = np.random.default_rng(0)
    values: NDArray[Any] = np.asarray(data.modalities[weak], dtype=np.float32)
    spread = values.std(0).mean()
    noisy = values + (noise * spread * rng.normal(size=values.shape)).astype(np.float32)
    return from_mapping(name, {"clear": data.modalities[clear], "weak": noisy}, data.label)


SETS: Mapping[str, Callable[[], MultimodalData]] = {
    "vectors-60": lambda: vectors(60, 0.1),
    "vectors-200": lambda: vectors(200, 0.05),
    "digits-2": lambda: drowned("digits", "top", "bottom", 2),
    "digits-4": lambda: drowned("digits", "top", "bottom", 4),
    "mfeat": lambda: drowned("mfeat", "fac", "mor", 0),
    "leaves100-3": lambda: drowned("leaves100", "margin", "shape", 3),
}


def configuration(recipe: TopologySpec, method: str) -> RunConfig:
    """The settings of core-agreed, for these agents."""
    matrix = recipe.matrix("core-agreed")
    name = method.removesuffix(PLAIN)
    config = recipe.configuration(
        Cell("digits", "5+5+5", "iid", "agreed"),
        name,
        training=matrix.training,
        evaluate_on="validation",
        settings=recipe.chosen(name, matrix.chosen) | ({"hold_out": 0} if name != method else {}),
    )
    return replace(config, agents="clear=5,weak=5,clear+weak=5")


def run(data: str, method: str) -> dict[str, Any]:
    """One method on one set, all seeds side by side: means over a group's agents, by seed."""
    name = method.removesuffix(PLAIN)
    made = compare(
        configuration(TopologySpec(), method), [name], SEEDS, overrides=Overrides(data=SETS[data]())
    )
    groups = made["methods"][name]["groups"]
    return {"set": data, "method": method, "seeds": SEEDS, **provenance(), "groups": groups}


def table() -> str:
    """A row per set and method, and by how much both together are better than the better one."""
    lines = [
        "| set | method | clear | weak | clear+weak | both − better one |",
        "|---|---|---|---|---|---|",
    ]
    for data in SETS:
        for method in METHODS:
            path = RESULTS / f"{data}_{_file(method)}.json"
            if not path.exists():
                continue
            groups = read_result(path)["groups"]
            means = [100 * groups[group]["accuracy"]["mean"] for group in GROUPS]
            told = " | ".join(f"{mean:.1f}" for mean in means)
            lines.append(f"| {data} | {method} | {told} | {means[2] - max(means[:2]):+.1f} |")
    return "\n".join(lines)


def _file(method: str) -> str:
    return method.replace(PLAIN, "-plain")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", choices=("run", "table"), default="run")
    parser.add_argument("--set", dest="sets", action="append", choices=SETS)
    asked = parser.parse_args(arguments)
    for method in METHODS if asked.what == "run" else ():
        for data in asked.sets or SETS:
            path = RESULTS / f"{data}_{_file(method)}.json"
            if not path.exists():
                write_result(path, run(data, method))
    print(table())


if __name__ == "__main__":
    main()
