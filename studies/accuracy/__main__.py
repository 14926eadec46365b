"""``python -m studies.accuracy tune|run|table|figures|readme``: see README.md beside it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from parse_dfl.errors import ParseDflError
from studies.accuracy.figures import draw_figures
from studies.accuracy.main_table import write_main_table
from studies.accuracy.pages import write_tables
from studies.accuracy.recipe import RECIPE, RESULTS, TopologySpec
from studies.accuracy.run import run
from studies.accuracy.tune import choice_table, tune

COMMITTED = (
    "core-agreed", "skewed", "people", "three-modalities", "six-modalities", "core", "seven",
)  # fmt: skip
"""The matrices whose tables stand in results/README.md."""
MAIN = "core-agreed"
"""The matrix whose table stands in the project's README."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse and do; 2 on bad input."""
    parser = argparse.ArgumentParser(prog="python -m studies.accuracy", description=__doc__)
    parser.add_argument("what", choices=["tune", "run", "table", "figures", "readme"])
    parser.add_argument("names", nargs="*", help="sets to run (all), or methods to tune (all)")
    parser.add_argument("--matrix", default=None, help="which of the recipe (core)")
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    parser.add_argument("--out", type=Path, default=RESULTS, help="where results lie")
    parser.add_argument("--jobs", type=int, default=0, help="processes (default: all cores)")
    asked = parser.parse_args(arguments)
    try:
        recipe = TopologySpec(asked.recipe)
        if asked.what == "tune":
            tune(recipe, asked.names, asked.out, processes=asked.jobs)
            print(choice_table(recipe, asked.out))
            return 0
        if asked.what == "figures":
            draw_figures(recipe, asked.matrix or "core", asked.out)
            return 0
        if asked.what == "readme":
            print(write_main_table(recipe, asked.matrix or MAIN, asked.out))
            return 0
        if asked.what == "run":
            matrix = asked.matrix or "core"
            run(recipe, matrix, asked.out, sets=asked.names, processes=asked.jobs)
        shown = [asked.matrix] if asked.matrix else COMMITTED
        print(write_tables(recipe, shown, asked.out))
    except ParseDflError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
