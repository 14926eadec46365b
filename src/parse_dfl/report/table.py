"""The content of every table, before it becomes terminal text or HTML."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from parse_dfl.report.formatting import percent_interval
from parse_dfl.report.statistics import Interval, is_ranked

MISSING = "–"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A text, and whether it is the best of its column."""

    text: str
    best: bool = False


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A table: the first column names the rows, the others hold numbers.

    A ``folded`` one is long and shows itself when asked to.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    folded: bool = False


def plain(texts: Sequence[str]) -> list[Cell]:
    """A column of texts."""
    return [Cell(text=text) for text in texts]


def accuracy_column(names: Sequence[str], value: Callable[[str], Interval | None]) -> list[Cell]:
    """Intervals in percent, the highest marked; the oracle does not compete."""
    values = {name: found for name in names if (found := value(name)) is not None}
    best = max((v.mean for name, v in values.items() if is_ranked(name)), default=None)
    return [
        Cell(
            text=percent_interval(values[name]),
            best=is_ranked(name) and values[name].mean == best,
        )
        if name in values
        else Cell(text=MISSING)
        for name in names
    ]
