"""Numbers as people read them, and tables before they become terminal text or HTML."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from parse_dfl.report.statistics import Interval

MISSING = "–"


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
