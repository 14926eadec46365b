"""A table as terminal text that fits any width without losing a column or a word.

A table that is too wide first folds the words of its last column, if that holds texts, and else
stacks: a block per row, a line per column.  Output that is no terminal has no width to fit.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderResult
from rich.measure import Measurement
from rich.table import Table as RichTable
from rich.text import Text

from parse_dfl.report.formatting import Entry, Table
from parse_dfl.text import as_given, can_show, showable

UNLIMITED = 100_000
LEAST_TEXT = 24
"""Columns that are left for the last column's texts, or the table stacks."""
PLAIN = box.Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
"""SIMPLE_HEAD in ASCII."""


class TerminalTable:
    """A table that rich can print; names are never read as markup."""

    def __init__(self, content: Table, *, texts: bool = False) -> None:
        self._content, self._texts = content, texts

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table, or the stack, and the notes below it."""
        width = options.max_width
        shown = _InEncoding(options.encoding)
        table = self._table(shown)
        wanted = Measurement.get(console, options.update(width=UNLIMITED), table).maximum
        if wanted > width and self._texts:
            fixed = wanted - max(len(row[-1].text) for row in self._content.rows)
            wanted = min(wanted, fixed + LEAST_TEXT)
        yield Text(shown(self._content.title), style="bold", overflow="fold")
        if wanted <= width:
            yield table
        else:
            yield from self._stack(shown)
        for note in self._content.notes:
            yield Text(shown(note), overflow="fold")

    def _table(self, shown: _InEncoding) -> RichTable:
        content = self._content
        table = RichTable(
            box=box.SIMPLE_HEAD if shown.has("─") else PLAIN,
            # The box's own space parts the columns, so that six of them fit 80 characters.
            padding=(0, 1) if self._texts else 0,
        )
        marks = self._marks()
        rows = [
            [shown.cell(cell, mark) for cell, mark in zip(row, marks, strict=True)]
            for row in content.rows
        ]
        for index, name in enumerate(content.header):
            widest = max((row[index].cell_len for row in rows), default=0)
            last = self._texts and index == len(content.header) - 1
            side: JustifyMethod = "right" if index and not self._texts else "left"
            table.add_column(
                Text(shown(name)),
                justify=side,
                min_width=None if last else widest,
                overflow="fold",
            )
        for row in rows:
            table.add_row(*row)
        return table

    def _stack(self, shown: _InEncoding) -> Iterator[Text]:
        first, *others = [shown(name) for name in self._content.header]
        wide = max((len(name) for name in others), default=0)
        for row in self._content.rows:
            yield Text("")
            yield Text(shown(f"{first}: {row[0].text}"), style="bold", overflow="fold")
            for name, cell in zip(others, row[1:], strict=True):
                text = shown.cell(cell, column_has_mark=cell.best)
                line = Text(f"  {name:{wide}}  ", overflow="fold")
                yield line.append_text(text)
        yield Text("")

    def _marks(self) -> list[bool]:
        content = self._content
        return [
            any(row[index].best for row in content.rows) for index in range(len(content.header))
        ]


class _InEncoding:
    """Write names as given, in what can be shown, before columns are measured."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding

    def __call__(self, text: str) -> str:
        return showable(as_given(text), self._encoding)

    def has(self, text: str) -> bool:
        """Whether the encoding has all of it."""
        return can_show(text, self._encoding)

    def cell(self, cell: Entry, column_has_mark: bool) -> Text:
        """Give the mark its own place, so that numbers stay aligned."""
        text = self(cell.text)
        if not column_has_mark:
            return Text(text, overflow="fold")
        return Text(f"{text}{'*' if cell.best else ' '}", style="bold" if cell.best else "")
