"""The figures of README and docs/results.md, from the committed results: ``docs/figures/*.svg``.

The drawings are the report's own; equal results give equal bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.accuracy.recipe import Cell, Matrix, Recipe
from benchmarks.accuracy.results import FILE
from parse_dfl.report.figures.differences import differences
from parse_dfl.report.figures.payload import payload
from parse_dfl.report.pictures import save_picture
from parse_dfl.report.reading import read_comparison_file
from parse_dfl.report.records import Collection, Comparison, MethodResult

FIGURES = Path(__file__).parents[2] / "docs" / "figures"


def draw_figures(recipe: Recipe, name: str, results: Path, folder: Path = FIGURES) -> list[Path]:
    """Differences, and accuracy against bytes; cells that lack a method are left out."""
    matrix = recipe.matrix(name)
    cells = [found for cell in matrix.cells if (found := _complete(matrix, results, cell))]
    collection = Collection(directory=results, comparisons=tuple(cells))
    pictures = [differences(collection), payload(mean_over(cells))]
    files = []
    for picture in filter(None, pictures):
        saved = save_picture(replace(picture, name=f"{name}-{picture.name}"), folder)
        print(f"{saved.png.stem}: {picture.caption}")
        saved.png.unlink()  # the pages need one of the two
        files.append(saved.png.with_suffix(".svg"))
    return files


def _complete(matrix: Matrix, results: Path, cell: Cell) -> Comparison | None:
    """The cell with the matrix's methods alone; None while one of them is missing."""
    path = results / cell.place / FILE
    if not path.exists():
        return None
    found = read_comparison_file(path)
    if not set(matrix.methods) <= found.methods.keys():
        return None
    methods = {method: found.methods[method] for method in matrix.methods}
    told = f"{cell.name} {cell.mix} {cell.dealt.replace('dirichlet:', 'Dirichlet ')}"
    return replace(found, name=told, methods=methods, runs={})


def mean_over(cells: Sequence[Comparison]) -> Comparison:
    """Every method's mean over cells, seed by seed of those that all have, and its mean payload."""
    results = [result for cell in cells for result in cell.methods.values()]
    seeds = sorted(set.intersection(*(set(result.seeds) for result in results)))
    return Comparison(
        directory=cells[0].directory,
        name="mean",
        data=f"mean over {len(cells)} cells",
        methods={
            method: _mean([cell.methods[method] for cell in cells], seeds)
            for method in cells[0].methods
        },
    )


def _mean(results: Sequence[MethodResult], seeds: Sequence[int]) -> MethodResult:
    rows = [
        [dict(zip(one.seeds, one.mean_accuracy, strict=True))[seed] for seed in seeds]
        for one in results
    ]
    return MethodResult(
        seeds=tuple(seeds),
        groups={},
        mean_accuracy=tuple(map(float, np.mean(rows, axis=0))),
        payload_bytes_per_link=float(np.mean([one.payload_bytes_per_link for one in results])),
        seconds=sum(one.seconds for one in results),
    )
