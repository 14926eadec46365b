"""Tables of a matrix: accuracy, and PARSE against the best rival; what is missing is shown so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.accuracy.recipe import Cell, Matrix, Recipe
from benchmarks.accuracy.results import entry_of, read_cell
from parse_dfl.report.statistics import gap_closed, interval, is_rival, paired_difference

Values = dict[str, list[float]]
"""Method → mean accuracy per seed, of the methods of a cell that have a result."""


def write_tables(recipe: Recipe, names: Sequence[str], results: Path) -> str:
    """``README.md`` among the results, with the tables of the matrices called ``names``."""
    parts = ["# Results", ""]
    for name in names:
        matrix = recipe.matrix(name)
        parts += [f"## {name}", "", _state(matrix, results), "", accuracy_table(matrix, results)]
        parts += ["", difference_table(matrix, results), ""]
    text = "\n".join(parts)
    (results / "README.md").write_text(text, encoding="utf-8")
    return text


def values_of(matrix: Matrix, results: Path, cell: Cell) -> Values:
    """What each method of the matrix reached on a cell, for the seeds of the matrix."""
    found = read_cell(results, cell)
    values = {}
    for method in matrix.methods:
        if entry := entry_of(found, method):
            by_seed = dict(zip(entry["seeds"], entry["mean_accuracy"]["values"], strict=True))
            values[method] = [by_seed[seed] for seed in matrix.seeds if seed in by_seed]
    return values


def _state(matrix: Matrix, results: Path) -> str:
    cells = [values_of(matrix, results, cell) for cell in matrix.cells]
    asked = len(matrix.cells) * len(matrix.methods) * len(matrix.seeds)
    there = sum(len(own) for cell in cells for own in cell.values())
    return f"{there} of {asked} runs are there (cells × methods × seeds)."


def accuracy_table(matrix: Matrix, results: Path) -> str:
    """A row a cell, a column a method."""
    lines = [
        "Mean accuracy over all agents, in percent, ± half the 95 % interval over seeds; in "
        "brackets the number of seeds where it is not all.",
        "",
        "| data | agents | partition | " + " | ".join(matrix.methods) + " |",
        "|---|---|---|" + "---|" * len(matrix.methods),
    ]
    for cell in matrix.cells:
        values = values_of(matrix, results, cell)
        shown = [_shown(values.get(m, []), len(matrix.seeds)) for m in matrix.methods]
        lines.append(f"| {_told(cell)} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def _told(cell: Cell) -> str:
    return f"{cell.name} | {cell.mix} | {cell.partition}"


def _shown(values: list[float], seeds: int) -> str:
    if not values:
        return "missing"
    mean = interval(values)
    spread = "" if mean.half is None else f" ± {100 * mean.half:.1f}"
    few = "" if len(values) == seeds else f" ({len(values)})"
    return f"{100 * mean.mean:.1f}{spread}{few}"


def difference_table(matrix: Matrix, results: Path) -> str:
    """PARSE and PARSE-adaptive minus the best rival, cell by cell, and their means."""
    ours = [method for method in ("parse", "parse-adaptive") if method in matrix.methods]
    lines = [
        "Difference from the best rival in points, paired by seed, and the share of the gap "
        "between local and oracle that each closes.",
        "",
        "| data | agents | partition | best rival | "
        + " | ".join(f"{method} − rival | {method}: gap closed" for method in ours)
        + " | rival: gap closed |",
        "|---|---|---|---|" + "---|---|" * len(ours) + "---|",
    ]
    rows = [_difference_row(ours, values_of(matrix, results, cell)) for cell in matrix.cells]
    for cell, row in zip(matrix.cells, rows, strict=True):
        cells = ["missing"] if row is None else [row.rival, *row.columns()]
        lines.append(f"| {_told(cell)} | " + " | ".join(cells) + " |")
    for partition in dict.fromkeys(cell.partition for cell in matrix.cells):
        own = [
            row
            for cell, row in zip(matrix.cells, rows, strict=True)
            if row is not None and cell.partition == partition
        ]
        if own:
            lines.append(f"| **mean** |  | {partition} |  | " + " | ".join(_means(own)) + " |")
    return "\n".join(lines)


class Row:
    """A cell's best rival, and by method the differences from it and the gaps closed, over the
    seeds that all its methods have."""

    def __init__(self, ours: Sequence[str], values: Values) -> None:
        seeds = min(map(len, values.values()))
        values = {method: own[:seeds] for method, own in values.items()}
        means = {method: interval(own).mean for method, own in values.items()}
        self.rival = max((m for m in means if is_rival(m) and m != "local"), key=means.__getitem__)
        self.differences = [paired_difference(values[m], values[self.rival]) for m in ours]
        self.closed = [
            gap_closed(means[m], local=means["local"], oracle=means["oracle"])
            if {"local", "oracle"} <= means.keys()
            else None
            for m in (*ours, self.rival)
        ]

    def columns(self) -> list[str]:
        """What stands in the row after the rival."""
        cells = []
        for difference, closed in zip(self.differences, self.closed[:-1], strict=True):
            half = difference.half or 0
            cells += [f"{100 * difference.mean:+.1f} ± {100 * half:.1f}", _share(closed)]
        return [*cells, _share(self.closed[-1])]


def _difference_row(ours: Sequence[str], values: Values) -> Row | None:
    """None where PARSE or every rival is missing."""
    rivals = [method for method in values if is_rival(method) and method != "local"]
    if not rivals or not set(ours) <= values.keys():
        return None
    return Row(ours, values)


def _means(rows: Sequence[Row]) -> list[str]:
    cells = []
    for place in range(len(rows[0].differences)):
        mean = sum(row.differences[place].mean for row in rows) / len(rows)
        cells += [f"{100 * mean:+.1f}", _share(_mean_share([row.closed[place] for row in rows]))]
    return [*cells, _share(_mean_share([row.closed[-1] for row in rows]))]


def _mean_share(shares: Sequence[float | None]) -> float | None:
    known = [share for share in shares if share is not None]
    return sum(known) / len(known) if known else None


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
