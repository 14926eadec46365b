"""Choose every method's settings on validation data, with equally many trials for each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from studies.accuracy.recipe import Cell, TopologySpec, Unit
from studies.accuracy.work import Job, cores, do_all

TUNING = "tuning.jsonl"


def tune(
    recipe: TopologySpec, methods: Sequence[str], results: Path, *, processes: int = 0
) -> list[dict[str, Any]]:
    """Run the trials that are not recorded yet, a line of ``tuning.jsonl`` each."""
    path, asked = results / TUNING, recipe.values["tuning"]
    known = {_key(row) for row in read_trials(results)}
    jobs, rows = [], []
    for cell in _cells(recipe):
        for method in methods or asked["trials"]:
            for trial in asked["trials"][method]:
                row = {"method": method, "trial": trial, "cell": cell.folder}
                if _key(row) not in known:
                    jobs.append(_job(recipe, cell, method, trial))
                    rows.append(row)
    row_of = {id(job): row for job, row in zip(jobs, rows, strict=True)}
    for job, made in do_all(jobs, processes or cores()):
        accuracy = made["methods"][job.unit.method]["mean_accuracy"]["mean"]
        row = row_of[id(job)] | {"accuracy": accuracy}
        if lost := made["methods"][job.unit.method]["diverged"]:
            row["diverged"] = sorted(map(int, lost))
        results.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        print(row["cell"], row["method"], row["trial"], f"{accuracy:.4f}", flush=True)
    return read_trials(results)


def _cells(recipe: TopologySpec) -> list[Cell]:
    asked = recipe.values["tuning"]
    return [
        Cell(name, asked["mix"], partition, asked.get("standardise", "own"))
        for name in asked["sets"]
        for partition in asked["partitions"]
    ]


def _job(recipe: TopologySpec, cell: Cell, method: str, trial: Mapping[str, Any]) -> Job:
    asked = recipe.values["tuning"]
    config = recipe.configuration(
        cell,
        method,
        training=recipe.values["training"] | asked.get("training", {}),
        evaluate_on="validation",
        settings=recipe.chosen(method) | dict(trial),
    )
    return Job(Unit(cell, method, tuple(asked["seeds"])), config)


def _key(row: Mapping[str, Any]) -> str:
    return json.dumps([row["method"], row["trial"], row["cell"]], sort_keys=True)


def read_trials(results: Path) -> list[dict[str, Any]]:
    """Return the recorded trials."""
    path = results / TUNING
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def choice_table(recipe: TopologySpec, results: Path) -> str:
    """Return mean validation accuracy over the cells, per method and trial; the best is marked."""
    cells = {cell.folder for cell in _cells(recipe)}
    rows = [row for row in read_trials(results) if row["cell"] in cells]
    lines = ["| method | trial | validation accuracy, % |", "|---|---|---|"]
    for method, trials in recipe.values["tuning"]["trials"].items():
        means = [_mean(rows, method, trial) for trial in trials]
        best = max((mean for mean in means if mean is not None), default=None)
        for trial, mean in zip(trials, means, strict=True):
            told = ", ".join(f"{name} {value:g}" for name, value in trial.items())
            shown = "missing" if mean is None else f"{100 * mean:.2f}"
            shown = "diverged" if _has_diverged(rows, method, trial) else shown
            is_best = mean is not None and mean == best
            lines.append(f"| {method} | {told} | {f'**{shown}**' if is_best else shown} |")
    return "\n".join(lines)


def _has_diverged(rows: list[dict[str, Any]], method: str, trial: Mapping[str, Any]) -> bool:
    own = [row for row in rows if row["method"] == method and row["trial"] == trial]
    return any(row.get("diverged") for row in own)


def _mean(rows: list[dict[str, Any]], method: str, trial: Mapping[str, Any]) -> float | None:
    """Return the mean; None until the trial has run on all cells, and where it has diverged."""
    if _has_diverged(rows, method, trial):
        return None
    cells = {row["cell"] for row in rows}
    own = [r["accuracy"] for r in rows if r["method"] == method and r["trial"] == trial]
    return sum(own) / len(own) if len(own) == len(cells) else None
