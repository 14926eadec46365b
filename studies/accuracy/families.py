"""The complete cells of a matrix together: all agents, unimodal and multimodal groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from parse_dfl.report.cells import KINDS, MEAN, Duel, duels_with_best, standings_of
from parse_dfl.report.statistics import OURS
from parse_dfl.report.statistics_file import statistics_of
from studies.accuracy.collection import collection_of
from studies.accuracy.recipe import Matrix
from studies.accuracy.tables import points

OUTCOMES = ("win", "tie", "loss")
HEADINGS = {MEAN: "all agents", "unimodal": "unimodal groups", "multimodal": "multimodal groups"}


def families_table(matrix: Matrix, results: Path) -> str:
    """A column a family of cells, and where a rival's mean is higher than PARSE's."""
    collection = collection_of(matrix, results)
    if not collection.comparisons:
        return "No cell is complete yet."
    families = statistics_of(collection)["summary"]
    ranked = sorted(families[MEAN]["mean_rank"], key=families[MEAN]["mean_rank"].__getitem__)
    gaps = [name for name in matrix.methods if name in families[MEAN]["gap_closed"]]
    rows = [
        ("cells", lambda family: str(family["cells"])),
        (f"mean rank of {', '.join(ranked)}", lambda family: _ranks(family, ranked)),
        (
            f"{OURS} − best rival of each cell, mean, points",
            lambda family: f"{100 * family['mean_difference']:+.1f}",
        ),
        (
            "wins / ties / losses after Holm's correction",
            lambda family: _tally(family["against_best_rival"]),
        ),
        ("before it", lambda family: _tally(family["against_best_rival_uncorrected"])),
        (
            "cells where any rival is significantly ahead",
            lambda family: str(len(family["behind_any_rival"])),
        ),
        *(
            (f"gap closed, mean: {name}", lambda family, name=name: _gap(family, name))
            for name in gaps
            if name not in ("local", "oracle")
        ),
    ]
    kinds = [kind for kind in KINDS if families[kind]["cells"]]
    lines = [
        "| | " + " | ".join(HEADINGS[kind] for kind in kinds) + " |",
        "|---" * (len(kinds) + 1) + "|",
        *(
            f"| {told} | " + " | ".join(shown(families[kind]) for kind in kinds) + " |"
            for told, shown in rows
        ),
    ]
    behind = _behind(duels_with_best(standings_of(collection)))
    return "\n".join([*lines, "", behind])


def _ranks(family: Mapping[str, Any], names: Sequence[str]) -> str:
    return ", ".join(f"{family['mean_rank'][name]:.2f}" for name in names)


def _tally(counts: Mapping[str, int]) -> str:
    return " / ".join(str(counts[outcome]) for outcome in OUTCOMES)


def _gap(family: Mapping[str, Any], name: str) -> str:
    found = family["gap_closed"].get(name)
    return "–" if found is None else f"{found['mean']:.2f}"


def _behind(duels: Sequence[Duel]) -> str:
    """Where the best rival's mean is higher, the largest difference first."""
    own = sorted((d for d in duels if d.difference.mean < 0), key=lambda d: d.difference.mean)
    told = [
        f"{duel.standing.comparison}, {duel.standing.scope}: {duel.rival}, "
        f"{points(duel.difference)} ({duel.outcome})"
        for duel in own
    ]
    listed = "; ".join(told) or "nowhere"
    return f"A rival's mean is higher in {len(own)} of {len(duels)} cells and groups: {listed}."
