"""Tables for the terminal."""

from __future__ import annotations

from parse_dfl.report.fitting import GridTable
from parse_dfl.report.records import Collection, Comparison, Summary
from parse_dfl.report.result_tables import collection_grid, comparison_grid, run_grid
from parse_dfl.report.table import Grid


def comparison_table(comparison: Comparison) -> GridTable:
    """A row per method; ``*`` marks the best of each column, the oracle apart."""
    return GridTable(comparison_grid(comparison))


def run_table(summary: Summary) -> GridTable:
    """A row per modality set of one finished run."""
    return GridTable(run_grid(summary))


def collection_table(collection: Collection) -> GridTable:
    """A row per method, a column per comparison."""
    return GridTable(collection_grid(collection))


def grid_table(grid: Grid) -> GridTable:
    """Any grid, its notes below."""
    return GridTable(grid)
