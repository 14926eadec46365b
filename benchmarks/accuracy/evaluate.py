"""Run every cell once on test data, and write the tables."""

from __future__ import annotations

import json
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from benchmarks.accuracy.recipe import RESULTS, Cell, cells, configuration, load_recipe
from parse_dfl import __version__, compare
from parse_dfl.report.statistics import gap_closed, paired_difference

SCRATCH = Path(os.environ.get("PARSE_DFL_SCRATCH", tempfile.gettempdir())) / "parse-dfl-accuracy"
"""Where stopped comparisons lie, to go on from."""


def evaluate(names: list[str] | None = None) -> None:
    """Run the cells that have no result yet; each is written when it is finished."""
    recipe = load_recipe()
    for cell in cells(recipe, names):
        result = RESULTS / f"{cell.folder}.json"
        if not result.exists():
            result.write_text(json.dumps(_run(recipe, cell), indent=1) + "\n", encoding="utf-8")
            print(result.name, flush=True)
    write_tables()


def _run(recipe: dict[str, Any], cell: Cell) -> dict[str, Any]:
    config = configuration(recipe, cell, evaluate_on="test")
    out = SCRATCH / cell.folder
    done = compare(
        config,
        recipe["methods"],
        recipe["test_seeds"],
        out=out,
        resume=(out / "config.json").exists(),
    )
    machine = {
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }
    stamp = {"date": datetime.now(UTC).date().isoformat(), "version": __version__}
    return stamp | {"machine": machine} | done


def write_tables() -> None:
    """``results/README.md``: a row a cell, a column a method."""
    recipe = load_recipe()
    text = "\n\n".join([_accuracy_table(recipe), _difference_table(recipe)])
    (RESULTS / "README.md").write_text(f"# Results\n\n{text}\n", encoding="utf-8")
    print(text)


def _read(cell: Cell) -> dict[str, Any] | None:
    path = RESULTS / f"{cell.folder}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _accuracy_table(recipe: dict[str, Any]) -> str:
    methods = recipe["methods"]
    lines = [
        "Mean accuracy over all agents, in percent, ± half the 95 % interval over seeds.",
        "",
        "| data | partition | " + " | ".join(methods) + " |",
        "|---|---|" + "---|" * len(methods),
    ]
    for cell in cells(recipe):
        found = _read(cell)
        shown = [_shown(found, method) for method in methods]
        lines.append(f"| {cell.name} | {cell.partition} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def _shown(found: dict[str, Any] | None, method: str) -> str:
    if not found or method not in found["methods"]:
        return "missing"
    accuracy = found["methods"][method]["mean_accuracy"]
    return f"{100 * accuracy['mean']:.1f} ± {100 * (accuracy['ci95'] or 0):.1f}"


def _difference_table(recipe: dict[str, Any]) -> str:
    rivals = [m for m in recipe["methods"] if m not in ("parse", "oracle") and "@" not in m]
    lines = [
        "parse minus the best rival, in points, paired by seed; and the share of the gap between "
        "local and oracle that each closes.",
        "",
        "| data | partition | best rival | difference | gap closed by parse | by the best rival |",
        "|---|---|---|---|---|---|",
    ]
    for cell in cells(recipe):
        found = _read(cell)
        if not found:
            lines.append(f"| {cell.name} | {cell.partition} | missing | | | |")
            continue
        values = {m: entry["mean_accuracy"]["values"] for m, entry in found["methods"].items()}
        means = {m: sum(own) / len(own) for m, own in values.items()}
        best = max(rivals, key=lambda method: means[method])
        difference = paired_difference(values["parse"], values[best])
        closed = [
            gap_closed(means[m], local=means["local"], oracle=means["oracle"])
            for m in ("parse", best)
        ]
        told = " | ".join("–" if share is None else f"{share:.2f}" for share in closed)
        lines.append(
            f"| {cell.name} | {cell.partition} | {best} | {100 * difference.mean:+.1f} "
            f"± {100 * (difference.half or 0):.1f} | {told} |"
        )
    return "\n".join(lines)
