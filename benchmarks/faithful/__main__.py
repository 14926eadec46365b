"""``python -m benchmarks.faithful purity|accuracy|prices``: see README.md beside this file."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.accuracy.recipe import cells, load_recipe
from benchmarks.faithful import accuracy, purity
from benchmarks.faithful.results import RESULTS, write

ROUNDS = 70
RUNS = [("parse-faithful", ROUNDS), ("parse-faithful", 2 * ROUNDS), ("parse", ROUNDS)]
PRICES = (0.0, 0.1, 0.3)
"""Beside the default, 1."""
TRADED = ["digits", "mfeat", "cremad_votes"]


def main() -> None:
    """Parse and run what has no result yet."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faithful", description=__doc__)
    parser.add_argument("what", choices=["purity", "accuracy", "prices"])
    parser.add_argument("names", nargs="*", help="sets (default: all; of prices: three)")
    args = parser.parse_args()
    {"purity": _purity, "accuracy": _accuracy, "prices": _prices}[args.what](args.names)


def _purity(_: list[str]) -> None:
    for method, rounds in RUNS:
        _once(f"purity-{method}-{rounds}", partial(purity.measure, method, rounds))


def _accuracy(names: list[str]) -> None:
    recipe = load_recipe()
    for cell in cells(recipe, names or None):
        job = partial(accuracy.measure, cell, seeds=recipe["test_seeds"], where="test")
        _once(f"accuracy-{cell.folder}", job)


def _prices(names: list[str]) -> None:
    recipe = load_recipe()
    for cell in cells(recipe, names or TRADED):
        if cell.partition == "iid":
            job = partial(
                accuracy.measure,
                cell,
                seeds=recipe["tuning"]["seeds"],
                where="validation",
                prices=(*PRICES, 1.0),
            )
            _once(f"prices-{cell.folder}", job)
    for price in (*PRICES, 1.0):
        job = partial(
            purity.measure,
            "parse-faithful",
            ROUNDS,
            options={"price": price},
            seeds=(100,),
            where="validation",
        )
        _once(f"prices-purity-{price:g}", job)


def _once(name: str, job: Callable[[], dict[str, Any]]) -> None:
    if not (RESULTS / f"{name}.json").exists():
        write(name, job())


if __name__ == "__main__":
    main()
