"""The table of gradient conflicts."""

from __future__ import annotations

from collections.abc import Sequence

from parse_dfl.report.conflicts import (
    ALL_BRANCHES,
    EQUAL,
    SAMPLES,
    UNI_MULTI,
    ConflictLine,
    conflicts_of,
    over_rounds,
    series,
)
from parse_dfl.report.grid import MISSING, Cell, Grid
from parse_dfl.report.records import Collection, Comparison, Run

COLUMNS = [(pairs, samples) for pairs in (UNI_MULTI, EQUAL) for samples in SAMPLES]
HEADER = [f"{pairs}, {samples}" for pairs, samples in COLUMNS]


def conflict_grid(record: Run | Comparison | Collection) -> Grid | None:
    """A row per method: conflicting pairs and mean cosine over all branches that a pair shares."""
    rows = [
        (Cell(text=method), *_cells(lines, ALL_BRANCHES))
        for method, lines in conflicts_of(record).items()
    ]
    if not rows:
        return None
    return Grid(
        title="Gradient conflict on shared parameters",
        header=("method", *HEADER),
        rows=tuple(rows),
        notes=(
            "Share of pairs whose gradients' cosine is below 0, and the mean cosine, averaged over "
            "the evaluated rounds and seeds. A pair shares an overlay, both stand at its mean "
            "parameters, and the cosine is over all branches that the two share.",
            "own: each on its own samples. held-out: both on the same samples of the training "
            "part. uni-multi: a uni- and a multimodal agent. equal: equal modality sets.",
        ),
    )


def branch_conflict_grid(record: Run | Comparison) -> Grid | None:
    """The same branch by branch."""
    rows = [
        (Cell(text=f"{method} · {branch}"), *_cells(lines, branch))
        for method, lines in conflicts_of(record).items()
        for branch in sorted({line.branch for line in lines} - {ALL_BRANCHES})
    ]
    if not rows:
        return None
    return Grid(
        title="Gradient conflict, branch by branch",
        header=("method · branch", *HEADER),
        rows=tuple(rows),
        folded=True,
    )


def _cells(lines: Sequence[ConflictLine], branch: str) -> list[Cell]:
    return [Cell(text=_shown(lines, branch, *column)) for column in COLUMNS]


def _shown(lines: Sequence[ConflictLine], branch: str, pairs: str, samples: str) -> str:
    found = over_rounds(series(lines, samples=samples, pairs=pairs, branch=branch))
    if found is None:
        return MISSING
    return f"{100 * found[0]:.0f} % · {found[1]:+.2f}".replace("-", "−")
