"""Numbers as people read them."""

from __future__ import annotations

from parse_dfl.report.statistics import Interval


def percent(value: float) -> str:
    """``0.8421`` as ``84.2``."""
    return f"{100 * value:.1f}"


def percent_interval(value: Interval) -> str:
    """``84.2 ± 1.1``, or the mean alone where one value gives no interval."""
    mean = percent(value.mean)
    return mean if value.half is None else f"{mean} ± {percent(value.half)}"


def signed_points(value: Interval) -> str:
    """A difference in points: ``+1.8 ± 0.7``."""
    mean = _signed(value.mean)
    return mean if value.half is None else f"{mean} ± {percent(value.half)}"


def points_interval(value: Interval) -> str:
    """A difference: ``+1.8 points (95 % interval −0.3 to +3.9)``."""
    mean = f"{_signed(value.mean)} points"
    if value.half is None:
        return mean
    low, high = value.mean - value.half, value.mean + value.half
    return f"{mean} (95 % interval {_signed(low)} to {_signed(high)})"


def file_size(count: float) -> str:
    """Bytes in decimal units: ``12.3 kB``."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def duration(seconds: float) -> str:
    """Seconds: ``0.42 s``, ``12.3 s``, ``4 min 10 s``, ``2 h 05 min``."""
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def seeds(count: int) -> str:
    """``1 seed``, ``3 seeds``."""
    return counted(count, "seed")


def counted(count: int, one: str, many: str | None = None) -> str:
    """``1 loss``, ``2 losses``."""
    return f"{count} {one if count == 1 else many or f'{one}s'}"


def listed(names: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


def _signed(value: float) -> str:
    return f"{100 * value:+.1f}".replace("-", "−")
