"""Write numbers and tables as people read them, in a terminal or in HTML.

A table fits a terminal of any width without losing a column or a word: one that is too wide first
folds the words of its last column, if that holds texts, and else stacks, a block per row and a
line per column.  Output that is no terminal has no width to fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderResult
from rich.measure import Measurement
from rich.table import Table as RichTable
from rich.text import Text

from parse_dfl.report.statistics import Interval
from parse_dfl.text import as_given, can_show, showable

MISSING = "–"
UNLIMITED = 100_000
LEAST_TEXT = 24
"""Columns that are left for the last column's texts, or the table stacks."""
PLAIN = box.Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
"""SIMPLE_HEAD in ASCII."""


def percent(value: float | None) -> str:
    """Return ``0.8421`` as ``84.2``, None as a dash."""
    return MISSING if value is None else f"{100 * value:.1f}"


def percent_interval(value: Interval) -> str:
    """Return ``84.2 ± 1.1``, or the mean alone where one value gives no interval."""
    mean = percent(value.mean)
    return mean if value.half is None else f"{mean} ± {percent(value.half)}"


def signed_points(value: Interval) -> str:
    """Return a difference in points: ``+1.8 ± 0.7``."""
    mean = _signed(value.mean)
    return mean if value.half is None else f"{mean} ± {percent(value.half)}"


def points_interval(value: Interval) -> str:
    """Return a difference as ``+1.8 points (95 % interval −0.3 to +3.9)``."""
    mean = f"{_signed(value.mean)} points"
    if value.half is None:
        return mean
    low, high = value.mean - value.half, value.mean + value.half
    return f"{mean} (95 % interval {_signed(low)} to {_signed(high)})"


def _signed(value: float) -> str:
    return f"{100 * value:+.1f}".replace("-", "−")


def file_size(count: float) -> str:
    """Return bytes in decimal units: ``12.3 kB``."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def duration(seconds: float) -> str:
    """Return seconds as ``0.42 s``, ``12.3 s``, ``4 min 10 s`` or ``2 h 05 min``."""
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def counted(count: int, one: str, many: str | None = None) -> str:
    """Return ``1 loss``, ``2 losses``."""
    return f"{count} {one if count == 1 else many or f'{one}s'}"


def listed(names: Sequence[str]) -> str:
    """Return ``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A text, and whether it is the best of its column."""

    text: str
    best: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table: the first column names the rows, the others hold numbers.

    A ``folded`` one is long and shows itself when asked to.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]
    notes: tuple[str, ...] = ()
    folded: bool = False


def entries(texts: Iterable[str]) -> tuple[Entry, ...]:
    """Return a row or a column of plain texts."""
    return tuple(Entry(text=text) for text in texts)


def accuracy_entries(
    names: Sequence[str],
    accuracy: Callable[[str], Interval | None],
    competes: Callable[[str], bool],
    *,
    missing: Callable[[str], str] = lambda _: MISSING,
) -> tuple[Entry, ...]:
    """Return intervals in percent, the highest of those that compete marked."""
    values = {name: value for name in names if (value := accuracy(name)) is not None}
    best = max((value.mean for name, value in values.items() if competes(name)), default=None)
    return tuple(
        Entry(
            text=percent_interval(values[name]),
            best=competes(name) and values[name].mean == best,
        )
        if name in values
        else Entry(text=missing(name))
        for name in names
    )


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
        """Return whether the encoding has every character of ``text``."""
        return can_show(text, self._encoding)

    def cell(self, cell: Entry, column_has_mark: bool) -> Text:
        """Give the mark its own place, so that numbers stay aligned."""
        text = self(cell.text)
        if not column_has_mark:
            return Text(text, overflow="fold")
        return Text(f"{text}{'*' if cell.best else ' '}", style="bold" if cell.best else "")
