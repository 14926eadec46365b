from __future__ import annotations

import io

import pytest
from rich.console import Console

from parse_dfl.report.fitting import UNLIMITED, GridTable
from parse_dfl.report.table import Cell, Grid
from parse_dfl.text import name_key

CELLS = ("dsgd-modality", "84.1 ± 3.3", "−2.3", "12.9 kB", "[bold]")
GRID = Grid(
    title="Accuracy in percent",
    header=("method", "bottom", "bottom+top", "bytes/link", "time"),
    rows=(tuple(Cell(text=text, best=text.startswith("84")) for text in CELLS),),
    notes=("parse against harmony: +1.2 points (95 % interval −2.3 to +4.7)",),
)
TEXTS = Grid(
    title="data sets",
    header=("name", "what"),
    rows=((Cell(text="digits"), Cell(text="handwritten digits, cut in two halves")),),
)


def printed(grid, width, encoding="utf-8", **settings):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    Console(file=stream, width=width).print(GridTable(grid, **settings))
    stream.flush()
    return raw.getvalue().decode(encoding)


def words(text):
    return text.replace("─", " ").split()


@pytest.mark.parametrize("width", [12, 20, 40, 60, 80, 200, UNLIMITED])
def test_nothing_is_lost_at_any_width(width):
    shown = printed(GRID, width)
    assert max(map(len, shown.splitlines())) <= width
    whole = "".join(words(shown))
    for text in (*CELLS, *GRID.header, *GRID.notes, GRID.title):
        assert "".join(text.split()) in whole


def test_a_wide_table_stacks_and_keeps_the_mark():
    lines = [line.rstrip() for line in printed(GRID, 40).splitlines()]
    assert "method: dsgd-modality" in lines
    assert "  bottom      84.1 ± 3.3*" in lines


def test_output_without_a_width_has_a_line_a_row_and_a_line_a_note():
    lines = printed(GRID, UNLIMITED).splitlines()
    assert [line for line in lines if all(cell in line for cell in CELLS)]
    assert [line for line in lines if line.rstrip() == GRID.notes[0]]


def test_long_texts_fold_between_words_before_a_table_stacks():
    lines = printed(TEXTS, 40, texts=True).splitlines()
    assert any(line.split() == ["name", "what"] for line in lines)
    assert words(" ".join(lines))[-6:] == TEXTS.rows[0][1].text.split()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_an_encoding_that_lacks_signs_keeps_columns_aligned(encoding):
    plain = printed(GRID, 80, encoding)
    assert "2.3" in plain
    header, row = (next(x for x in plain.splitlines() if key in x) for key in ("time", "[bold]"))
    assert header.rstrip().endswith("time")
    assert len(header.rstrip()) == len(row.rstrip())
    assert ("84.1 ± 3.3*" in plain) == (encoding != "ascii")


@pytest.mark.parametrize("width", [20, 200])
def test_names_are_shown_as_given(width):
    name = "Füße.2"
    header = ("method", name_key(name))
    rows = ((Cell(text="parse"), Cell(text=f"{name_key(name)}: 1.0")),)
    grid = Grid(title=f"on {name_key(name)}", header=header, rows=rows, notes=(name_key(name),))
    shown = printed(grid, width)
    assert shown.count(name) == 4
    assert "-u" not in shown
