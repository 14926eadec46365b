"""Choose every method's settings on validation data, with equally many trials for each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from benchmarks.accuracy.recipe import RESULTS, Cell, cells, configuration, load_recipe
from parse_dfl import compare

TUNING = RESULTS / "tuning.jsonl"


def tune(methods: list[str] | None = None) -> None:
    """Run the trials that are not recorded yet, a line of ``tuning.jsonl`` each."""
    recipe = load_recipe()
    done = {_key(row) for row in read_trials()}
    for method in methods or recipe["tuning"]["trials"]:
        for trial in recipe["tuning"]["trials"][method]:
            for cell in cells(recipe, recipe["tuning"]["sets"]):
                row = {"method": method, "trial": trial, "cell": cell.folder}
                if _key(row) not in done:
                    _record(row | {"accuracy": _validate(recipe, method, trial, cell)})
    print(choice_table())


def _validate(
    recipe: Mapping[str, Any], method: str, trial: Mapping[str, float], cell: Cell
) -> float:
    options = {name: value for name, value in trial.items() if name != "lr"}
    config = configuration(recipe, cell, evaluate_on="validation", lr=trial["lr"], options=options)
    result = compare(config, [method], recipe["tuning"]["seeds"])
    accuracy: float = result["methods"][method]["mean_accuracy"]["mean"]
    return accuracy


def _key(row: Mapping[str, Any]) -> str:
    return json.dumps([row["method"], row["trial"], row["cell"]], sort_keys=True)


def _record(row: Mapping[str, Any]) -> None:
    RESULTS.mkdir(exist_ok=True)
    with TUNING.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    print(row["method"], row["trial"], row["cell"], f"{row['accuracy']:.4f}", flush=True)


def read_trials() -> list[dict[str, Any]]:
    """The recorded trials."""
    if not TUNING.exists():
        return []
    return [json.loads(line) for line in TUNING.read_text(encoding="utf-8").splitlines()]


def choice_table() -> str:
    """Mean validation accuracy over the cells, per method and trial; the best is marked."""
    recipe, rows = load_recipe(), read_trials()
    lines = ["| method | trial | validation accuracy, % |", "|---|---|---|"]
    for method, trials in recipe["tuning"]["trials"].items():
        means = [_mean(rows, method, trial) for trial in trials]
        for trial, mean in zip(trials, means, strict=True):
            told = ", ".join(f"{name} {value:g}" for name, value in trial.items())
            shown = "–" if mean is None else f"{100 * mean:.2f}"
            best = mean is not None and mean == max(m for m in means if m is not None)
            lines.append(f"| {method} | {told} | {f'**{shown}**' if best else shown} |")
    return "\n".join(lines)


def _mean(rows: list[dict[str, Any]], method: str, trial: Mapping[str, float]) -> float | None:
    own = [r["accuracy"] for r in rows if r["method"] == method and r["trial"] == trial]
    return sum(own) / len(own) if own else None
