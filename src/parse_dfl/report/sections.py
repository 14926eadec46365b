"""What a report shows, in order: for each kind of record a list of tables and figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from parse_dfl.errors import RecordError
from parse_dfl.report.audit_tables import (
    bits_grid,
    contribution_grid,
    dependence_grid,
    predictability_grid,
    purity_grid,
    readings_grid,
)
from parse_dfl.report.audits import Audit, read_audit
from parse_dfl.report.conflicts import branch_conflict_grid, conflict_grid
from parse_dfl.report.cost_to_accuracy import LEVELS
from parse_dfl.report.diverged import converged, converged_record
from parse_dfl.report.figures.ablations import ablations
from parse_dfl.report.figures.audit_bits import audit_bits
from parse_dfl.report.figures.collection_curves import collection_curves
from parse_dfl.report.figures.conflict import conflict
from parse_dfl.report.figures.differences import differences
from parse_dfl.report.figures.final_accuracy import final_accuracy
from parse_dfl.report.figures.heat_map import heat_map
from parse_dfl.report.figures.learning_curves import learning_curves
from parse_dfl.report.figures.overlays import overlays
from parse_dfl.report.figures.payload import payload
from parse_dfl.report.figures.slice_maps import slice_maps
from parse_dfl.report.figures.split_map import split_map
from parse_dfl.report.records import Collection, Comparison, Record, Run
from parse_dfl.report.result_tables import (
    agents_grid,
    collection_grid,
    comparison_grid,
    run_status,
    unfinished_grid,
)
from parse_dfl.report.statistics_tables import (
    duels_grid,
    gaps_grid,
    group_duels_grid,
    reach_grid,
    summary_grid,
)
from parse_dfl.report.style import Picture
from parse_dfl.report.table import Grid

Built = TypeVar("Built")

AUDIT_TABLES: tuple[Callable[[Audit], Grid | None], ...] = (
    readings_grid,
    purity_grid,
    bits_grid,
    contribution_grid,
    predictability_grid,
    dependence_grid,
)


def audit_tables(run: Run) -> list[Grid]:
    """The tables of a run's audit, if it has been audited."""
    audit = read_audit(run.directory)
    return [grid for build in AUDIT_TABLES if audit and (grid := build(audit))]


TABLES: dict[type[Record], tuple[Callable[[Any], Grid | None], ...]] = {
    Run: (run_status, conflict_grid, branch_conflict_grid, agents_grid),
    Comparison: (comparison_grid, group_duels_grid, conflict_grid, branch_conflict_grid),
    Collection: (
        collection_grid,
        unfinished_grid,
        summary_grid,
        gaps_grid,
        duels_grid,
        group_duels_grid,
        conflict_grid,
    ),
}
FIGURES: dict[type[Record], tuple[Callable[[Any], Picture | None], ...]] = {
    Run: (learning_curves, overlays, slice_maps, conflict, audit_bits),
    Comparison: (final_accuracy, learning_curves, payload, overlays, slice_maps, conflict),
    Collection: (heat_map, differences, collection_curves, ablations, split_map, conflict),
}


def tables_of(record: Record, levels: Sequence[float] = LEVELS) -> tuple[list[Grid], list[str]]:
    """The tables of a record, and why some of them cannot be made.

    Tables are left out for which it holds nothing.  ``levels`` are the accuracies that
    :func:`reach_grid` is about.
    """
    grids, problems = _built(TABLES[type(record)], record)
    if isinstance(record, Comparison):
        grids += filter(None, [reach_grid(converged(record), levels)])
    if isinstance(record, Run):
        found, more = _built((audit_tables,), record)
        grids += [grid for tables in found for grid in tables]
        problems += more
    return grids, problems


def pictures_of(record: Record) -> tuple[list[Picture], list[str]]:
    """The figures of a record, and why some of them cannot be drawn.

    Figures are left out for which it holds nothing.
    """
    drawn = converged_record(record)
    return _built(FIGURES[type(record)], drawn) if drawn else ([], [])


def _built(
    builders: Sequence[Callable[[Any], Built | None]], record: Record
) -> tuple[list[Built], list[str]]:
    """What the builders make of a record; a damaged file costs no more than what is in it."""
    found, problems = [], []
    for build in builders:
        try:
            found.append(build(record))
        except RecordError as error:
            problems.append(str(error))
    return [one for one in found if one], problems
