"""Tables of results as text and as HTML, and curves as data frames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from io import StringIO
from typing import TYPE_CHECKING, Any

from rich.console import Console

from parse_dfl.report.formatting import Entry, Table
from parse_dfl.report.terminal import TerminalTable

if TYPE_CHECKING:
    import pandas as pd

WIDTH = 100
"""Columns of text, as everywhere in this project."""


def table_text(table: Table) -> str:
    """Return a table as plain text."""
    console = Console(file=StringIO(), width=WIDTH, color_system=None)
    console.print(TerminalTable(table))
    assert isinstance(console.file, StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())


def table_html(table: Table) -> str:
    """Return a table as HTML, the best of each column in bold."""
    header = "".join(f"<th>{escape(name)}</th>" for name in table.header)
    rows = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in table.rows)
    notes = "".join(f"<p>{escape(note)}</p>" for note in table.notes)
    return (
        f"<table><caption>{escape(table.title)}</caption>"
        f"<thead><tr>{header}</tr></thead><tbody>{rows}</tbody></table>{notes}"
    )


def data_frame(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return rows as a pandas ``DataFrame``.

    Raises:
        ImportError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(
            "curves are pandas DataFrames; install it by pip install 'parse-dfl[pandas]', "
            "or read metrics.jsonl of the result's folder"
        ) from error
    return pd.DataFrame(list(rows))


def _cell(entry: Entry) -> str:
    text = escape(entry.text)
    return f"<td><strong>{text}</strong></td>" if entry.best else f"<td>{text}</td>"
