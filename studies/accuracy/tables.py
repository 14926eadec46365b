"""Tables of a matrix: accuracy, and PARSE against the best rival; what is missing is shown so.

Who is a rival, how seeds are paired and what a gap is, the report says: ``parse_dfl.report``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from parse_dfl.report.cells import Cell as MethodCell
from parse_dfl.report.cells import first_ranks
from parse_dfl.report.load import MEAN
from parse_dfl.report.pairwise import PairwiseTest, pairwise_with_best, tally
from parse_dfl.report.statistics import Interval, interval, paired_difference
from parse_dfl.runs.reporting import ROLES
from studies.accuracy.recipe import Cell, Matrix
from studies.accuracy.results import entry_of, read_cell

SUBJECT, VARIANT = "parse", "parse-adaptive"


def standing_of(matrix: Matrix, results: Path, cell: Cell) -> MethodCell:
    """Return what each method of the matrix reached on a cell, for the seeds of the matrix."""
    found = read_cell(results, cell)
    values: dict[str, tuple[float, ...]] = {}
    seeds: dict[str, tuple[int, ...]] = {}
    lost = []
    for method in matrix.methods:
        entry = entry_of(found, method)
        if entry and entry.get("diverged"):
            lost.append(method)
        elif entry:
            by_seed = dict(zip(entry["seeds"], entry["mean_accuracy"]["values"], strict=True))
            seeds[method] = tuple(seed for seed in matrix.seeds if seed in by_seed)
            values[method] = tuple(by_seed[seed] for seed in seeds[method])
    return MethodCell(
        comparison=cell.folder,
        scope=MEAN,
        values=values,
        seeds=seeds,
        diverged=tuple(lost),
        roles=ROLES,
    )


def accuracy_table(matrix: Matrix, results: Path) -> str:
    """Return a table, a row a cell, a column a method."""
    lines = [
        "Mean accuracy over all agents, in percent, ± half the 95 % interval over seeds; in "
        "brackets the number of seeds where it is not all.",
        "",
        "| data | agents | partition | " + " | ".join(matrix.methods) + " |",
        "|---|---|---|" + "---|" * len(matrix.methods),
    ]
    for cell in matrix.cells:
        values = standing_of(matrix, results, cell).values
        cells = [shown(values.get(m, ()), len(matrix.seeds)) for m in matrix.methods]
        lines.append(f"| {told(cell)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def told(cell: Cell) -> str:
    """Return the cell in the first three columns of a table."""
    return f"{cell.name} | {cell.mix} | {cell.dealt}"


def shown(values: Sequence[float], seeds: int) -> str:
    """Return mean and half its interval in percent; in brackets the seeds if not all."""
    if not values:
        return "missing"
    mean = interval(values)
    spread = "" if mean.half is None else f" ± {100 * mean.half:.1f}"
    few = "" if len(values) == seeds else f" ({len(values)})"
    return f"{100 * mean.mean:.1f}{spread}{few}"


def difference_table(matrix: Matrix, results: Path) -> str:
    """Return PARSE and PARSE-adaptive minus the best rival, cell by cell, and their means."""
    standings = {cell: standing_of(matrix, results, cell) for cell in matrix.cells}
    competing = set(filter(ROLES.competes, matrix.methods))
    whole = [standing for standing in standings.values() if competing <= standing.values.keys()]
    tests = {test.cell.comparison: test for test in pairwise_with_best(whole)}
    has_variant = VARIANT in matrix.methods
    header = ["data", "agents", "partition", "best rival", "parse − rival", "p (Holm)"]
    header += ["parse-adaptive − rival"] if has_variant else []
    header += ["gap closed: parse"] + (["parse-adaptive"] if has_variant else []) + ["rival"]
    lines = [
        "Difference from the best rival in points, paired by seed; p after Holm's correction over "
        "the cells of the table; and the share of the gap between local and oracle that each "
        "closes.",
        "",
        "| " + " | ".join(header) + " |",
        "|---" * len(header) + "|",
    ]
    for cell, standing in standings.items():
        test = tests.get(standing.comparison)
        cells = ["missing"] if test is None else _test_cells(test, has_variant=has_variant)
        lines.append(f"| {told(cell)} | " + " | ".join(cells) + " |")
    for partition in dict.fromkeys(cell.dealt for cell in matrix.cells):
        own = [
            tests[standing.comparison]
            for cell, standing in standings.items()
            if cell.dealt == partition and standing.comparison in tests
        ]
        if own:
            cells = _mean_cells(own, has_variant=has_variant)
            lines.append(f"| **mean** |  | {partition} |  | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", _sum_up(list(tests.values()))])


def _test_cells(test: PairwiseTest, *, has_variant: bool) -> list[str]:
    """Return what stands in the row of a cell after its name."""
    standing = test.cell
    variant = _variant_difference(test) if has_variant else None
    closed = [SUBJECT, VARIANT, test.rival] if has_variant else [SUBJECT, test.rival]
    return [
        test.rival,
        points(test.difference),
        "–" if test.p_holm is None else f"{test.p_holm:.3f}",
        *([points(variant)] if has_variant else []),
        *(share(standing.gap_closed(name)) for name in closed),
    ]


def _variant_difference(test: PairwiseTest) -> Interval | None:
    if VARIANT not in test.cell.values:
        return None
    return paired_difference(*test.cell.paired(VARIANT, test.rival))


def _mean_cells(tests: Sequence[PairwiseTest], *, has_variant: bool) -> list[str]:
    """Return means over cells, of the same columns but for the rival's name."""
    variants = [found.mean for test in tests if (found := _variant_difference(test))]
    closed: Mapping[str, list[float | None]] = {
        SUBJECT: [test.cell.gap_closed(SUBJECT) for test in tests],
        VARIANT: [test.cell.gap_closed(VARIANT) for test in tests],
        "rival": [test.cell.gap_closed(test.rival) for test in tests],
    }
    kept = [gaps for name, gaps in closed.items() if has_variant or name != VARIANT]
    return [
        f"{100 * np.mean([test.difference.mean for test in tests]):+.1f}",
        "",
        *([f"{100 * np.mean(variants):+.1f}" if variants else "–"] if has_variant else []),
        *(_mean_share(gaps) for gaps in kept),
    ]


def _sum_up(tests: Sequence[PairwiseTest]) -> str:
    if not tests:
        return "No cell has PARSE and a rival."
    counts, raw = tally(tests), tally(tests, corrected=False)
    ranks = first_ranks([test.cell for test in tests])
    listed = ", ".join(f"{name} {rank:.2f}" for name, rank in sorted(ranks.items(), key=_by_rank))
    return (
        f"Over {len(tests)} cells parse wins {counts['win']}, ties {counts['tie']}, loses "
        f"{counts['loss']} against the best rival of each after the correction (before it "
        f"{raw['win']}, {raw['tie']}, {raw['loss']}). Mean ranks: {listed}."
    )


def _by_rank(pair: tuple[str, float]) -> float:
    return pair[1]


def points(difference: Interval | None) -> str:
    """Return a difference in points, with half its interval."""
    if difference is None:
        return "–"
    spread = "" if difference.half is None else f" ± {100 * difference.half:.1f}"
    return f"{100 * difference.mean:+.1f}{spread}"


def _mean_share(shares: Sequence[float | None]) -> str:
    known = [share for share in shares if share is not None]
    return share(float(np.mean(known)) if known else None)


def share(value: float | None) -> str:
    """Return a share of one with two digits, a dash where there is none."""
    return "–" if value is None else f"{value:.2f}"
