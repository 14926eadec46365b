"""Tables of a matrix: accuracy, and PARSE against the best rival; what is missing is shown so.

Who is a rival, how seeds are paired and what a gap is, the report says: ``parse_dfl.report``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from parse_dfl.report.cells import MEAN, Duel, Standing, duels_with_best, tally
from parse_dfl.report.rankings import mean_ranks
from parse_dfl.report.statistics import OURS, Interval, competes, interval, paired_difference
from studies.accuracy.recipe import Cell, Matrix
from studies.accuracy.results import entry_of, read_cell

VARIANT = "parse-adaptive"


def standing_of(matrix: Matrix, results: Path, cell: Cell) -> Standing:
    """What each method of the matrix reached on a cell, for the seeds of the matrix."""
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
    return Standing(
        comparison=cell.folder, scope=MEAN, values=values, seeds=seeds, diverged=tuple(lost)
    )


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
        values = standing_of(matrix, results, cell).values
        cells = [shown(values.get(m, ()), len(matrix.seeds)) for m in matrix.methods]
        lines.append(f"| {told(cell)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def told(cell: Cell) -> str:
    """The cell in the first three columns of a table."""
    return f"{cell.name} | {cell.mix} | {cell.dealt}"


def shown(values: Sequence[float], seeds: int) -> str:
    """Mean and half its interval in percent, and in brackets the seeds where they are not all."""
    if not values:
        return "missing"
    mean = interval(values)
    spread = "" if mean.half is None else f" ± {100 * mean.half:.1f}"
    few = "" if len(values) == seeds else f" ({len(values)})"
    return f"{100 * mean.mean:.1f}{spread}{few}"


def difference_table(matrix: Matrix, results: Path) -> str:
    """PARSE and PARSE-adaptive minus the best rival, cell by cell, and their means."""
    standings = {cell: standing_of(matrix, results, cell) for cell in matrix.cells}
    competing = set(filter(competes, matrix.methods))
    whole = [standing for standing in standings.values() if competing <= standing.values.keys()]
    duels = {duel.standing.comparison: duel for duel in duels_with_best(whole)}
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
        duel = duels.get(standing.comparison)
        cells = ["missing"] if duel is None else _duel_cells(duel, has_variant=has_variant)
        lines.append(f"| {told(cell)} | " + " | ".join(cells) + " |")
    for partition in dict.fromkeys(cell.dealt for cell in matrix.cells):
        own = [
            duels[standing.comparison]
            for cell, standing in standings.items()
            if cell.dealt == partition and standing.comparison in duels
        ]
        if own:
            cells = _mean_cells(own, has_variant=has_variant)
            lines.append(f"| **mean** |  | {partition} |  | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", _sum_up(list(duels.values()))])


def _duel_cells(duel: Duel, *, has_variant: bool) -> list[str]:
    """What stands in the row of a cell after its name."""
    standing = duel.standing
    variant = _variant_difference(duel) if has_variant else None
    closed = [OURS, VARIANT, duel.rival] if has_variant else [OURS, duel.rival]
    return [
        duel.rival,
        points(duel.difference),
        "–" if duel.p_holm is None else f"{duel.p_holm:.3f}",
        *([points(variant)] if has_variant else []),
        *(share(standing.gap_closed(name)) for name in closed),
    ]


def _variant_difference(duel: Duel) -> Interval | None:
    if VARIANT not in duel.standing.values:
        return None
    return paired_difference(*duel.standing.paired(VARIANT, duel.rival))


def _mean_cells(duels: Sequence[Duel], *, has_variant: bool) -> list[str]:
    """Means over cells, of the same columns but for the rival's name."""
    variants = [found.mean for duel in duels if (found := _variant_difference(duel))]
    closed: Mapping[str, list[float | None]] = {
        OURS: [duel.standing.gap_closed(OURS) for duel in duels],
        VARIANT: [duel.standing.gap_closed(VARIANT) for duel in duels],
        "rival": [duel.standing.gap_closed(duel.rival) for duel in duels],
    }
    kept = [gaps for name, gaps in closed.items() if has_variant or name != VARIANT]
    return [
        f"{100 * np.mean([duel.difference.mean for duel in duels]):+.1f}",
        "",
        *([f"{100 * np.mean(variants):+.1f}" if variants else "–"] if has_variant else []),
        *(_mean_share(gaps) for gaps in kept),
    ]


def _sum_up(duels: Sequence[Duel]) -> str:
    if not duels:
        return "No cell has PARSE and a rival."
    counts, raw = tally(duels), tally(duels, corrected=False)
    ranks = mean_ranks([duel.standing for duel in duels])
    listed = ", ".join(f"{name} {rank:.2f}" for name, rank in sorted(ranks.items(), key=_by_rank))
    return (
        f"Over {len(duels)} cells parse wins {counts['win']}, ties {counts['tie']}, loses "
        f"{counts['loss']} against the best rival of each after the correction (before it "
        f"{raw['win']}, {raw['tie']}, {raw['loss']}). Mean ranks: {listed}."
    )


def _by_rank(pair: tuple[str, float]) -> float:
    return pair[1]


def points(difference: Interval | None) -> str:
    """A difference in points, with half its interval."""
    if difference is None:
        return "–"
    spread = "" if difference.half is None else f" ± {100 * difference.half:.1f}"
    return f"{100 * difference.mean:+.1f}{spread}"


def _mean_share(shares: Sequence[float | None]) -> str:
    known = [share for share in shares if share is not None]
    return share(float(np.mean(known)) if known else None)


def share(value: float | None) -> str:
    """A share of one with two digits, a dash where there is none."""
    return "–" if value is None else f"{value:.2f}"
