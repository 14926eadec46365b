"""The gradient conflicts of runs with ``--record conflict``, and their table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from parse_dfl.report.reading import parse_object, read_text
from parse_dfl.report.records import Collection, Comparison, Run
from parse_dfl.report.table import MISSING, Cell, Grid

CONFLICT = "conflict.jsonl"
ALL_BRANCHES = "all"
SAMPLES = ("own", "held-out")
UNI_MULTI, EQUAL = "uni-multi", "equal"


@dataclass(frozen=True, kw_only=True)
class ConflictLine:
    """One line of the file: the pairs of one kind on one branch at one round."""

    round: int
    seed: int
    branch: str
    samples: str
    pairs: str
    count: int
    negative_share: float
    mean_cosine: float


Series = Mapping[int, tuple[float, float]]
"""Round → share of pairs whose cosine is below 0, and the mean cosine."""


def conflicts_of(record: Run | Comparison | Collection) -> dict[str, list[ConflictLine]]:
    """Method → the lines of all its runs; methods without any are left out.

    Raises:
        RecordError: a file is damaged.
    """
    comparisons = record.comparisons if isinstance(record, Collection) else (record,)
    found: dict[str, list[ConflictLine]] = {}
    for comparison in comparisons:
        for method, runs in comparison.runs.items():
            lines = [line for run in runs for line in read_conflicts(run)]
            if lines:
                found.setdefault(method, []).extend(lines)
    return found


def read_conflicts(run: Run) -> list[ConflictLine]:
    """The lines of one run; none where it recorded nothing."""
    path = run.directory / CONFLICT
    if not path.exists():
        return []
    lines = read_text(path).splitlines()
    if lines and run.summary is None and not lines[-1].endswith("}"):
        lines.pop()  # the run is writing it, or was killed while it did
    return [_line(line, f"{path}, line {number}") for number, line in enumerate(lines, start=1)]


def _line(text: str, source: str) -> ConflictLine:
    fields = parse_object(text, source)
    return ConflictLine(
        round=fields.integer("round"),
        seed=fields.integer("seed"),
        branch=fields.text("branch"),
        samples=fields.text("samples"),
        pairs=fields.text("pairs"),
        count=fields.integer("count"),
        negative_share=fields.number("negative_share"),
        mean_cosine=fields.number("mean_cosine"),
    )


def series(
    lines: Iterable[ConflictLine], *, samples: str, pairs: str, branch: str = ALL_BRANCHES
) -> Series:
    """One kind of pairs over rounds: means over seeds and comparisons."""
    by_round: dict[int, list[tuple[float, float]]] = {}
    for line in lines:
        if (line.samples, line.pairs, line.branch) == (samples, pairs, branch):
            by_round.setdefault(line.round, []).append((line.negative_share, line.mean_cosine))
    return {
        number: (float(np.mean([v[0] for v in values])), float(np.mean([v[1] for v in values])))
        for number, values in sorted(by_round.items())
    }


def over_rounds(found: Series) -> tuple[float, float] | None:
    """The means over the recorded rounds."""
    if not found:
        return None
    shares, cosines = zip(*found.values(), strict=True)
    return float(np.mean(shares)), float(np.mean(cosines))


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
