"""What is measured, and how a cell's lines become a small file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from parse_dfl.config import DataConfig, RunConfig, TrainingConfig

RESULTS = Path(__file__).parent / "results"
SCRATCH = Path(os.environ.get("PARSE_DFL_SCRATCH", tempfile.gettempdir())) / "parse-dfl-conflict"
"""Where the runs lie, to go on from and to draw reports of."""

ROUNDS = 100
SEEDS = (0, 1, 2)
PARTITIONS = ("iid", "dirichlet:0.3")
SETS = {
    "digits": "top=5,bottom=5,top+bottom=5",
    "cremad_votes": "voice=5,face=5,voice+face=5",
    "motionsense": "acc=5,gyro=5,acc+gyro=5",
}
METHODS = (
    "parse",
    "dsgd-hybrid",
    "dsgd-modality",
    "dsgd-task",
    "harmony",
    "gradient-surgery",
    "parse@dsgd-hybrid",
)


def cells() -> list[tuple[str, str]]:
    """Return every data set under every partition."""
    return [(name, partition) for name in SETS for partition in PARTITIONS]


def folder_of(name: str, partition: str) -> str:
    """Return ``motionsense-dirichlet-0.3``."""
    return f"{name}-{partition.replace(':', '-')}"


def configuration(name: str, partition: str) -> RunConfig:
    """Return all settings at their defaults, rings among them; the conflict every ten rounds."""
    return RunConfig(
        agents=SETS[name],
        data=DataConfig(data=name, partition=partition),
        training=TrainingConfig(rounds=ROUNDS),
        record=("conflict",),
    )


def condense(lines: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return ``BRANCH|SAMPLES|PAIRS`` → rounds, pairs per seed, and means over seeds by round.

    ``by_seed`` is each seed's share of conflicting pairs, averaged over the rounds.
    """
    found: dict[str, list[Mapping[str, Any]]] = {}
    for line in lines:
        found.setdefault("|".join(line[k] for k in ("branch", "samples", "pairs")), []).append(line)
    return {key: _series(own) for key, own in sorted(found.items())}


def _series(lines: list[Mapping[str, Any]]) -> dict[str, Any]:
    rounds = sorted({line["round"] for line in lines})
    seeds = sorted({line["seed"] for line in lines})

    def mean(name: str, **where: int) -> float:
        kept = [one[name] for one in lines if all(one[k] == v for k, v in where.items())]
        return round(float(np.mean(kept)), 4)

    return {
        "rounds": rounds,
        "pairs": max(line["count"] for line in lines),
        "negative_share": [mean("negative_share", round=number) for number in rounds],
        "mean_cosine": [mean("mean_cosine", round=number) for number in rounds],
        "by_seed": [mean("negative_share", seed=seed) for seed in seeds],
    }
