"""The recipe as values: every cell that a part of it consists of."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

from parse_dfl.agents import AgentMix
from parse_dfl.config import DataConfig, OverlayConfig, RunConfig, TrainingConfig

HERE = Path(__file__).parent
RESULTS = HERE / "results"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """Some attackers under one rule; all seeds of a part run side by side."""

    part: str
    set: str
    topology: str
    rule: str
    attack: str  # "": nobody lies
    placement: str = ""
    attackers: int = 0

    @property
    def key(self) -> str:
        """What names it in the records."""
        return json.dumps(asdict(self), sort_keys=True)


def load_recipe() -> dict[str, Any]:
    """Read ``recipe.toml``."""
    return tomllib.loads((HERE / "recipe.toml").read_text(encoding="utf-8"))


def cells(recipe: Mapping[str, Any], part: str) -> Iterator[Cell]:
    """Yield the cells of a part; without attack there is one per set, overlay and rule."""
    own = recipe[part]
    rules = own.get("rules") or ["none", *recipe["rules"].values()]
    for name, topology, rule, attack in product(
        own["sets"], own["topologies"], rules, own["attacks"]
    ):
        base = {"part": part, "set": name, "topology": topology, "rule": rule, "attack": attack}
        if not attack:
            yield Cell(**base)
            continue
        for placement, numbers in own["placements"].items():
            yield from (Cell(**base, placement=placement, attackers=number) for number in numbers)


def liars_of(recipe: Mapping[str, Any], cell: Cell) -> list[str]:
    """Return the names of a cell's attackers."""
    mix = AgentMix.from_string(recipe["sets"][cell.set]["agents"])
    first, second, both = (group for group, _ in mix.counts)
    groups = {
        "one of each": [first, second],
        "one modality": [first],
        "multimodal": [both],
        "": [],
    }[cell.placement]
    order = [
        agent.name for turn in range(4) for agent in mix.agents()
        if agent.modalities in groups and agent.name.endswith(f"-{turn}")
    ]  # fmt: skip
    return order[: cell.attackers]


def configuration(recipe: Mapping[str, Any], cell: Cell) -> RunConfig:
    """Return the configuration of a cell; what it leaves out are the defaults."""
    chosen = recipe["sets"][cell.set]
    return RunConfig(
        agents=chosen["agents"],
        method=recipe["method"],
        data=DataConfig(
            data=chosen["data"],
            partition=chosen["partition"],
            evaluate_on=recipe[cell.part]["evaluate_on"],
        ),
        training=TrainingConfig(rounds=recipe["rounds"]),
        overlay=OverlayConfig(
            topology=cell.topology,
            robust=cell.rule,
            attackers=tuple(f"{name}:{cell.attack}" for name in liars_of(recipe, cell)),
        ),
        eval_every=recipe["rounds"],
    )
