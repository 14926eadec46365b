"""The trade-off: purity of synthetic slices against accuracy on the real sets, by price."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from parse_dfl.report.style import Picture, canvas, house_style, look, save_picture
from parse_dfl.runs.reporting import ROLES
from studies.provenance import read_result

RESULTS = Path(__file__).with_name("results")
FOLDER = Path(__file__).parents[2] / "docs" / "figures"
NAME = "faithful-price"
KINDS = {"redundant": "o", "unique": "s", "synergistic": "^"}


def draw(_: Sequence[str] = ()) -> None:
    """Draw ``docs/figures/faithful-price.png`` and ``.svg`` from the results of ``prices``."""
    save_picture(picture(_results("prices-*_iid"), _results("prices-purity-*")), FOLDER)


def price_of(purity: dict[str, Any]) -> float:
    """Return the price that was paid."""
    return float(purity["options"]["price"])


def _results(pattern: str) -> list[dict[str, Any]]:
    return [read_result(path) for path in sorted(RESULTS.glob(f"{pattern}.json"))]


@house_style
def picture(real: Sequence[dict[str, Any]], synthetic: Sequence[dict[str, Any]]) -> Picture:
    """Draw accuracy, mean over the sets ``real``, and the greatest leak of each kind of slice."""
    figure, (panel,) = canvas(1, 1, height=4.2, width=6.5)
    priced = sorted(synthetic, key=price_of)
    prices = [price_of(one) for one in priced]
    accuracies = [accuracy(real, f"price {price:g}") for price in prices]
    for kind, marker in KINDS.items():
        leaks = [leak(one, kind) for one in priced]
        panel.plot(accuracies, leaks, marker=marker, label=f"{kind} slices")
    for price, x, one in zip(prices, accuracies, priced, strict=True):
        highest = max(leak(one, kind) for kind in KINDS)
        panel.annotate(f"{price:g}", (x, highest), xytext=(0, 6), textcoords="offset points")
    panel.axvline(
        accuracy(real, "parse"), label="plain PARSE", color=look("parse", ROLES).color, ls=":"
    )
    panel.set_xlabel("mean accuracy on real sets, %")
    panel.set_ylabel("best reading of another's bit, %")
    panel.legend()
    sets = ", ".join(one["cell"].partition("_")[0] for one in real)
    caption = (
        f"Numbers are the price. Accuracy: validation data of {sets}. Leak: synthetic data, the "
        "other label bit that the audit's probes read best, worst slice and seed; 50 is chance."
    )
    return Picture(name=NAME, title="What purity costs", caption=caption, figure=figure)


def accuracy(real: Sequence[dict[str, Any]], name: str) -> float:
    """Return mean accuracy of a variant over the sets, in percent."""
    return sum(float(one["accuracy"][name]) for one in real) / len(real)


def leak(purity: dict[str, Any], kind: str) -> float:
    """Return the best reading of another's bit from slices of a kind, with noise, in percent."""
    rows = {name: row for name, row in purity["summary"].items() if "noiseless" not in name}
    return 100 * max(row["other"]["greatest"] for name, row in rows.items() if f"/{kind}" in name)
