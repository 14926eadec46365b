"""The complete cells of a matrix together: all agents, unimodal and multimodal groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from parse_dfl.report.cells import KINDS, cells_of
from parse_dfl.report.load import MEAN
from parse_dfl.report.pairwise import PairwiseTest, pairwise_with_best
from parse_dfl.report.statistics_file import Family, statistics_of
from parse_dfl.runs.reporting import ROLES
from studies.accuracy.collection import collection_of
from studies.accuracy.recipe import Matrix
from studies.accuracy.tables import points

OUTCOMES = ("win", "tie", "loss")
HEADINGS = {MEAN: "all agents", "unimodal": "unimodal groups", "multimodal": "multimodal groups"}


def families_table(matrix: Matrix, results: Path) -> str:
    """Return a column a family of cells, and where a rival's mean is higher than PARSE's."""
    collection = collection_of(matrix, results)
    if not collection.comparisons:
        return "No cell is complete yet."
    families = statistics_of(collection).summary
    ranked = sorted(families[MEAN].mean_rank, key=families[MEAN].mean_rank.__getitem__)
    gaps = [name for name in matrix.methods if name in families[MEAN].gap_closed]
    rows = [
        ("cells", lambda family: str(family.cells)),
        (f"mean rank of {', '.join(ranked)}", lambda family: _ranks(family, ranked)),
        (
            f"{ROLES.subject} − best rival of each cell, mean, points",
            lambda family: f"{100 * family.mean_difference:+.1f}",
        ),
        (
            "wins / ties / losses after Holm's correction",
            lambda family: _tally(family.against_best_rival),
        ),
        ("before it", lambda family: _tally(family.against_best_rival_uncorrected)),
        (
            "cells where any rival is significantly ahead",
            lambda family: str(len(family.behind_any_rival)),
        ),
        *(
            (f"gap closed, mean: {name}", lambda family, name=name: _gap(family, name))
            for name in gaps
            if name not in ("local", "oracle")
        ),
    ]
    kinds = [kind for kind in KINDS if families[kind].cells]
    lines = [
        "| | " + " | ".join(HEADINGS[kind] for kind in kinds) + " |",
        "|---" * (len(kinds) + 1) + "|",
        *(
            f"| {told} | " + " | ".join(shown(families[kind]) for kind in kinds) + " |"
            for told, shown in rows
        ),
    ]
    behind = _behind(pairwise_with_best(cells_of(collection)))
    return "\n".join([*lines, "", behind])


def _ranks(family: Family, names: Sequence[str]) -> str:
    return ", ".join(f"{family.mean_rank[name]:.2f}" for name in names)


def _tally(counts: Mapping[str, int]) -> str:
    return " / ".join(str(counts[outcome]) for outcome in OUTCOMES)


def _gap(family: Family, name: str) -> str:
    gap = family.gap_closed.get(name)
    return "–" if gap is None else f"{gap.mean:.2f}"


def _behind(tests: Sequence[PairwiseTest]) -> str:
    """Return where the best rival's mean is higher, the largest difference first."""
    own = sorted((d for d in tests if d.difference.mean < 0), key=lambda d: d.difference.mean)
    told = [
        f"{test.cell.comparison}, {test.cell.scope}: {test.rival}, "
        f"{points(test.difference)} ({test.outcome})"
        for test in own
    ]
    listed = "; ".join(told) or "nowhere"
    return f"A rival's mean is higher in {len(own)} of {len(tests)} cells and groups: {listed}."
