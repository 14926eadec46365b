"""The main table of the project's README, written between two marks of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from parse_dfl.errors import ConfigError
from parse_dfl.report.cells import first_ranks
from parse_dfl.report.pairwise import PairwiseTest, pairwise_with_best, tally
from parse_dfl.runs.reporting import ROLES
from studies.accuracy.recipe import Cell, Matrix, TopologySpec
from studies.accuracy.tables import SUBJECT, points, share, shown, standing_of, told

README = Path(__file__).parents[2] / "README.md"
MARK = "<!-- main table: {} -->"
TOLD_GAPS = (SUBJECT, "harmony", "dsgd-hybrid")


def write_main_table(recipe: TopologySpec, name: str, results: Path, page: Path = README) -> str:
    """Put the table of a matrix, and what sums it up, between the marks of ``page``.

    Raises:
        ConfigError: the page has no such marks, or no cell of the matrix is complete.
    """
    before, begin, rest = page.read_text(encoding="utf-8").partition(MARK.format("begin"))
    _, end, after = rest.partition(MARK.format("end"))
    if not end:
        raise ConfigError(f"{page.name} has no {MARK.format('begin')} and {MARK.format('end')}")
    text = main_table(recipe.matrix(name), results)
    made = f"{before}{begin}\n\n{text}\n\n{end}{after}"
    page.write_text(made, encoding="utf-8")
    return text


def main_table(matrix: Matrix, results: Path) -> str:
    """Return a row a cell: each method, PARSE's lead over the best rival, the gap closed."""
    standings = {cell: standing_of(matrix, results, cell) for cell in matrix.cells}
    competing = set(filter(ROLES.competes, matrix.methods))
    whole = [one for one in standings.values() if competing <= one.values.keys()]
    if not whole:
        raise ConfigError("no cell of the matrix is complete; python -m studies.accuracy run")
    tests = {test.cell.comparison: test for test in pairwise_with_best(whole)}
    header = ["data", "agents", "partition", *matrix.methods, "parse − best rival", "gap closed"]
    lines = ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    for cell, standing in standings.items():
        values = [shown(standing.values.get(m, ()), len(matrix.seeds)) for m in matrix.methods]
        test = tests.get(standing.comparison)
        ends = ["missing", "missing"] if test is None else _ends(test)
        lines.append(f"| {told(cell)} | " + " | ".join([*values, *ends]) + " |")
    summed = _summary(
        {cell: tests[one.comparison] for cell, one in standings.items() if one.comparison in tests}
    )
    return "\n".join([*lines, "", summed])


def _ends(test: PairwiseTest) -> list[str]:
    return [points(test.difference), share(test.cell.gap_closed(SUBJECT))]


def _summary(tests: Mapping[Cell, PairwiseTest]) -> str:
    found = list(tests.values())
    ahead = sum(test.difference.mean > 0 for test in found)
    lead = 100 * np.mean([test.difference.mean for test in found])
    counts = tally(found)
    ranks = first_ranks([test.cell for test in found])
    best = min((name for name in ranks if name != SUBJECT), key=ranks.__getitem__)
    gaps = [
        f"{partition}: " + ", ".join(_gap(name, own) for name in TOLD_GAPS)
        for partition, own in _by_partition(tests).items()
    ]
    return (
        f"{SUBJECT} has the highest mean of all rivals in {ahead} of {len(found)} cells, "
        f"{lead:+.1f} points against the best rival of each on average; after Holm's correction "
        f"these are {counts['win']} wins, {counts['tie']} ties and {counts['loss']} losses. Mean "
        f"ranks: {SUBJECT} {ranks[SUBJECT]:.2f}, {best} {ranks[best]:.2f}. Gap between local and "
        f"centralised training that is closed, on average, {'; '.join(gaps)}."
    )


def _gap(name: str, tests: Sequence[PairwiseTest]) -> str:
    closed = [gap for test in tests if (gap := test.cell.gap_closed(name)) is not None]
    return f"{name} {share(float(np.mean(closed)))}"


def _by_partition(tests: Mapping[Cell, PairwiseTest]) -> dict[str, list[PairwiseTest]]:
    groups: dict[str, list[PairwiseTest]] = {}
    for cell, test in tests.items():
        groups.setdefault(cell.partition, []).append(test)
    return groups
