"""Tables for the terminal."""

from __future__ import annotations

from rich import box
from rich.console import JustifyMethod
from rich.table import Table
from rich.text import Text

from parse_dfl.report.collection_grid import collection_grid
from parse_dfl.report.comparison_grid import comparison_grid
from parse_dfl.report.grid import Cell, Grid
from parse_dfl.report.records import Collection, Comparison, Summary
from parse_dfl.report.run_grids import run_grid
from parse_dfl.safe_names import as_given


def comparison_table(comparison: Comparison) -> Table:
    """A row per method; ``*`` marks the best of each column, the oracle apart."""
    return grid_table(comparison_grid(comparison))


def run_table(summary: Summary) -> Table:
    """A row per modality set of one finished run."""
    return grid_table(run_grid(summary))


def collection_table(collection: Collection) -> Table:
    """A row per method, a column per comparison."""
    return grid_table(collection_grid(collection))


def grid_table(grid: Grid) -> Table:
    """Any grid as a rich table, its notes below; names are never read as markup."""
    table = Table(
        title=Text(as_given(grid.title), style="bold"),
        title_justify="left",
        caption=Text(as_given("\n".join(grid.notes))),
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=0,  # the box's own space parts the columns, so that six of them fit 80 characters
    )
    marks = [any(row[index].best for row in grid.rows) for index in range(len(grid.header))]
    rows = [[_text(cell, mark) for cell, mark in zip(row, marks, strict=True)] for row in grid.rows]
    for index, name in enumerate(grid.header):
        widest = max((len(row[index]) for row in rows), default=0)
        side: JustifyMethod = "right" if index else "left"
        table.add_column(Text(as_given(name)), justify=side, min_width=widest, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def _text(cell: Cell, column_has_mark: bool) -> Text:
    """The mark takes its own place, so that numbers stay aligned."""
    text = as_given(cell.text)
    if not column_has_mark:
        return Text(text)
    return Text(f"{text}{'*' if cell.best else ' '}", style="bold" if cell.best else "")
