"""``README.md`` among the results: what there is of each matrix, and its tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from studies.accuracy.families import families_table
from studies.accuracy.recipe import Matrix, TopologySpec
from studies.accuracy.tables import accuracy_table, difference_table, standing_of


def write_tables(recipe: TopologySpec, names: Sequence[str], results: Path) -> str:
    """Write the page with the tables of the matrices called ``names``."""
    parts = ["# Results", ""]
    for name in names:
        matrix = recipe.matrix(name)
        parts += [f"## {name}", "", _state(matrix, results), ""]
        for table in (accuracy_table, difference_table, families_table):
            parts += [table(matrix, results), ""]
    text = "\n".join(parts)
    (results / "README.md").write_text(text, encoding="utf-8")
    return text


def _state(matrix: Matrix, results: Path) -> str:
    standings = [standing_of(matrix, results, cell) for cell in matrix.cells]
    asked = len(matrix.cells) * len(matrix.methods) * len(matrix.seeds)
    there = sum(len(own) for standing in standings for own in standing.values.values())
    return f"{there} of {asked} runs are there (cells × methods × seeds)."
