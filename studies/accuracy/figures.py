"""The figures of README and docs/results.md, from the committed results: ``docs/figures/*.svg``.

The drawings are the report's own; equal results give equal bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from parse_dfl.report.figures.collection import differences
from parse_dfl.report.figures.comparison import payload
from parse_dfl.report.load import Comparison, MethodResult
from parse_dfl.report.style import save_picture
from studies.accuracy.collection import collection_of
from studies.accuracy.recipe import TopologySpec

FIGURES = Path(__file__).parents[2] / "docs" / "figures"


def draw_figures(
    recipe: TopologySpec, name: str, results: Path, folder: Path = FIGURES
) -> list[Path]:
    """Draw differences, and accuracy against bytes; cells that lack a method are left out."""
    collection = collection_of(recipe.matrix(name), results)
    pictures = [differences(collection), payload(mean_over(collection.comparisons))]
    files = []
    for picture in filter(None, pictures):
        saved = save_picture(replace(picture, name=f"{name}-{picture.name}"), folder)
        print(f"{saved.png.stem}: {picture.caption}")
        saved.png.unlink()  # the pages need one of the two
        files.append(saved.png.with_suffix(".svg"))
    return files


def mean_over(cells: Sequence[Comparison]) -> Comparison:
    """Average every method over cells, seed by seed of those that all have, and its payload."""
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
        roles=cells[0].roles,
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
