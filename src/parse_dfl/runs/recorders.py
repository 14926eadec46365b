"""What a run measures beside its accuracy when ``--record`` asks for it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from parse_dfl.engine.gradient_conflict import HELD_OUT_SAMPLES, measure_conflict
from parse_dfl.runs.folder import append_jsonl, rewrite_jsonl
from parse_dfl.runs.setup import Trial

CONFLICT = "conflict.jsonl"
HELD_OUT_SEED = 0
"""The held-out samples are the same for all runs on one data set."""


class ConflictRecorder:
    """Writes the gradient conflict of every evaluated round to ``conflict.jsonl``.

    The common samples are validation's: of the training part, but no agent's.
    """

    def __init__(self, trial: Trial, folders: dict[int, Path]) -> None:
        self._trial, self._folders = trial, folders
        drawn = np.random.default_rng(HELD_OUT_SEED).permutation(trial.setup.split.validation)
        samples = torch.from_numpy(np.sort(drawn[:HELD_OUT_SAMPLES]))
        self._samples = samples.to(trial.simulator.data.device)

    def record(self, round: int) -> None:
        """Measure at the simulator's present parameters, and add the lines of ``round``."""
        for seed, conflicts in measure_conflict(self._trial.simulator, self._samples).items():
            if seed in self._folders:
                head: dict[str, Any] = {"round": round, "seed": seed}
                rows = [head | asdict(conflict) for conflict in conflicts]
                append_jsonl(self._folders[seed] / CONFLICT, rows)

    def keep_until(self, round: int) -> None:
        """Drop what a resumed run will write again."""
        for folder in self._folders.values():
            rewrite_jsonl(folder / CONFLICT, lambda row: row["round"] <= round)
