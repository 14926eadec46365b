"""``python -m studies.conflict run|table|figure``: see README.md beside this file."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from parse_dfl.runs.compare import compare
from studies.conflict.recipe import (
    METHODS,
    RESULTS,
    SCRATCH,
    SEEDS,
    cells,
    condense,
    configuration,
    folder_of,
)
from studies.conflict.table import draw, write_tables
from studies.provenance import provenance, write_result


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(prog="python -m studies.conflict", description=__doc__)
    parser.add_argument("what", choices=["run", "table", "figure"])
    what = parser.parse_args().what
    if what == "run":
        for name, partition in cells():
            path = RESULTS / f"{folder_of(name, partition)}.json"
            if not path.exists():
                write_result(path, measure(name, partition))
                print(path.name, flush=True)
    if what == "figure":
        print(*draw(), sep="\n")
    else:
        print(write_tables())


def measure(name: str, partition: str) -> dict[str, Any]:
    """Run all methods of a cell, or go on with them, and keep what is small."""
    out = SCRATCH / folder_of(name, partition)
    resume = (out / "config.json").exists()
    done = compare(configuration(name, partition), METHODS, SEEDS, out=out, resume=resume)
    return {
        **provenance(),
        "data": name,
        "partition": partition,
        "seeds": list(SEEDS),
        "methods": {
            method: {
                "accuracy": round(done["methods"][method]["mean_accuracy"]["mean"], 4),
                "conflict": condense(_lines(out / method)),
            }
            for method in METHODS
        },
    }


def _lines(folder: Path) -> list[dict[str, Any]]:
    paths = [folder / f"seed-{seed}" / "conflict.jsonl" for seed in SEEDS]
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


if __name__ == "__main__":
    main()
