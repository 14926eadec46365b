"""Run the cells that are not recorded yet, a line of ``results/PART.jsonl`` each."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import Any

from parse_dfl.errors import OverlayError
from parse_dfl.runs.callbacks import SILENT
from parse_dfl.runs.session import Session
from parse_dfl.runs.setup import build_trial
from parse_dfl.runs.shared_setup import SharedSetup
from studies.provenance import today
from studies.robustness.cells import RESULTS, Cell, cells, configuration, liars_of, load_recipe


def evaluate(part: str) -> None:
    """Run a part to its end; it goes on where it was stopped."""
    recipe = load_recipe()
    done = {row["key"] for row in read(part)}
    for cell in cells(recipe, part):
        if cell.key not in done:
            row = asdict(cell) | {"key": cell.key} | _run(recipe, cell)
            with (RESULTS / f"{part}.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            print(cell.key, flush=True)


def read(part: str) -> list[dict[str, Any]]:
    """Return the recorded cells of a part."""
    path = RESULTS / f"{part}.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _run(recipe: dict[str, Any], cell: Cell) -> dict[str, Any]:
    """Return each agent's accuracy per seed; of an ill-posed rule why it is refused."""
    config, seeds = configuration(recipe, cell), recipe[cell.part]["seeds"]
    stamp = {
        "date": today(),
        "machine": f"{os.cpu_count()} cores, {_memory_gib()} GiB",
        "liar_names": liars_of(recipe, cell),
    }
    accuracy: dict[int, dict[str, float]] = {}
    try:
        for group in SharedSetup(config).groups_of_equal_work(seeds):
            summaries = Session(build_trial(config, group), {}, None, SILENT).run()
            for seed, summary in summaries.items():
                rows = summary["agents"]
                accuracy[seed] = {row["name"]: round(row["accuracy"], 5) for row in rows}
    except OverlayError as reason:
        return stamp | {"refused": str(reason)}
    return stamp | {"accuracy": accuracy}


def _memory_gib() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
