"""The recipe as values, and the configuration of each of its cells."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parse_dfl import DataConfig, RunConfig, TrainingConfig

HERE = Path(__file__).parent
RESULTS = HERE / "results"


@dataclass(frozen=True)
class Cell:
    """One data set under one partition."""

    name: str
    partition: str

    @property
    def folder(self) -> str:
        """``motionsense-dirichlet-0.3``."""
        return f"{self.name}-{self.partition.replace(':', '-')}"


def load_recipe() -> dict[str, Any]:
    """``recipe.toml``."""
    return tomllib.loads((HERE / "recipe.toml").read_text(encoding="utf-8"))


def cells(recipe: Mapping[str, Any], names: list[str] | None = None) -> list[Cell]:
    """Every set of ``names`` (default: all) under every partition."""
    return [
        Cell(name, partition)
        for name in names or recipe["sets"]
        for partition in recipe["partitions"]
    ]


def configuration(
    recipe: Mapping[str, Any],
    cell: Cell,
    *,
    evaluate_on: str,
    lr: float | None = None,
    options: Mapping[str, float] | None = None,
) -> RunConfig:
    """The configuration of a cell; what it leaves out are the defaults that everybody gets."""
    chosen = recipe["sets"][cell.name]
    return RunConfig(
        agents=chosen["agents"],
        data=DataConfig(data=chosen["data"], partition=cell.partition, evaluate_on=evaluate_on),
        training=TrainingConfig(rounds=recipe["rounds"], lr=lr),
        method_options=dict(options or {}),
        eval_every=10,  # the oracle stops early by these
    )
