"""Whatever pipes a table, or shows it in a small terminal, gives it 80 characters."""

from __future__ import annotations

from rich.console import Console

from parse_dfl.report.table import Cell, Grid
from parse_dfl.report.terminal import grid_table


def test_a_comparison_of_two_modalities_fits_eighty_characters_without_wrapping_a_cell():
    header = ("method", "bottom", "top", "bottom+top", "mean", "bytes/link", "time")
    accuracies = [Cell(text="84.1 ± 3.3", best=True)] * 4
    row = (Cell(text="dsgd-modality"), *accuracies, Cell(text="12.9 kB"), Cell(text="2.6 s"))
    console = Console(width=80)
    with console.capture() as capture:
        console.print(grid_table(Grid(title="title", header=header, rows=(row,), notes=())))
    lines = capture.get().splitlines()
    assert max(map(len, lines)) <= 80
    assert [line for line in lines if all(name in line for name in header)]
    assert [line for line in lines if all(cell.text in line for cell in row)]
