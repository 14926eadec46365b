"""``python -m studies.faithful TASK``: see README.md beside this file."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial

from studies.accuracy.recipe import Cell, TopologySpec
from studies.faithful import accuracy, figure, purity
from studies.faithful.accuracy import MIX, Variant
from studies.faithful.figure import RESULTS
from studies.provenance import run_once

ROUNDS = 70
RUNS = [("parse-faithful", ROUNDS), ("parse-faithful", 2 * ROUNDS), ("parse", ROUNDS)]
PRICES = (0.0, 0.1, 0.3, 1.0)
TRADED = ("digits", "leaves100", "mfeat")
RATES = (0.006, 0.012, 0.024)


def main() -> None:
    """Parse and run what has no result yet."""
    parser = argparse.ArgumentParser(prog="python -m studies.faithful", description=__doc__)
    jobs = {
        "purity": _purity,
        "accuracy": _accuracy,
        "tune": _tune,
        "prices": _prices,
        "prices-purity": _prices_purity,
        "figure": figure.draw,
    }
    parser.add_argument("what", choices=jobs)
    parser.add_argument("names", nargs="*", help="sets, or prices (default: all of the task)")
    args = parser.parse_args()
    jobs[args.what](args.names)


def _purity(_: Sequence[str]) -> None:
    for method, rounds in RUNS:
        run_once(
            RESULTS / f"purity-{method}-{rounds}.json", partial(purity.measure, method, rounds)
        )


def _accuracy(names: Sequence[str]) -> None:
    """Measure on test data, once, with the settings that were chosen on validation data."""
    recipe = TopologySpec()
    matrix = recipe.matrix("seven", names)
    variants = [faithful(recipe)]
    for cell in matrix.cells:
        job = partial(accuracy.measure, cell, variants, seeds=matrix.seeds, where="test")
        run_once(RESULTS / f"accuracy-{cell.folder}.json", job)


def _tune(names: Sequence[str]) -> None:
    variants = [
        Variant(name=f"lr {lr:g}", method="parse-faithful", settings={"lr": lr}) for lr in RATES
    ]
    _on_validation("tune", names, variants)


def _prices(names: Sequence[str]) -> None:
    recipe = TopologySpec()
    plain = Variant(name="parse", method="parse", settings=recipe.chosen("parse"))
    priced = [faithful(recipe, price) for price in PRICES]
    _on_validation("prices", names, [plain, *priced])


def _prices_purity(names: Sequence[str]) -> None:
    for price in map(float, names or PRICES):
        job = partial(
            purity.measure,
            "parse-faithful",
            ROUNDS,
            options={"price": price},
            seeds=(100,),
            where="validation",
        )
        run_once(RESULTS / f"prices-purity-{price:g}.json", job)


def faithful(recipe: TopologySpec, price: float | None = None) -> Variant:
    """Return the faithful fission as it was chosen on validation data, or at another price."""
    settings = recipe.chosen("parse-faithful") | ({} if price is None else {"price": price})
    name = "parse-faithful" if price is None else f"price {price:g}"
    return Variant(name=name, method="parse-faithful", settings=settings)


def _on_validation(what: str, names: Sequence[str], variants: Sequence[Variant]) -> None:
    seeds = TopologySpec().values["tuning"]["seeds"]
    for name in names or TRADED:
        cell = Cell(name, MIX, "iid")
        job = partial(accuracy.measure, cell, variants, seeds=seeds, where="validation")
        run_once(RESULTS / f"{what}-{cell.folder}.json", job)


if __name__ == "__main__":
    main()
