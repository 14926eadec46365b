"""The complete cells of a matrix, as the report reads them: with the matrix's methods alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from parse_dfl.report.collection import Collection
from parse_dfl.report.load import Comparison, read_comparison
from parse_dfl.runs.reporting import ROLES
from studies.accuracy.recipe import Cell, Matrix
from studies.accuracy.results import FILE


def collection_of(matrix: Matrix, results: Path) -> Collection:
    """Return what there is of a matrix; cells that lack a method are left out."""
    cells = [found for cell in matrix.cells if (found := _complete(matrix, results, cell))]
    return Collection(directory=results, comparisons=tuple(cells), roles=ROLES)


def _complete(matrix: Matrix, results: Path, cell: Cell) -> Comparison | None:
    """Return the cell; None while one of its methods is missing."""
    path = results / cell.place / FILE
    if not path.exists():
        return None
    found = read_comparison(path, ROLES)
    if not set(matrix.methods) <= found.methods.keys():
        return None
    methods = {method: found.methods[method] for method in matrix.methods}
    told = f"{cell.name} {cell.mix} {cell.dealt.replace('dirichlet:', 'Dirichlet ')}"
    return replace(found, name=told, methods=methods, runs={})
