"""Whether a method's option lies in its range."""

from __future__ import annotations

from math import inf, isfinite

from parse_dfl.errors import ConfigError


def check_option(
    name: str,
    value: object,
    *,
    least: float = -inf,
    most: float = inf,
    above: float = -inf,
    below: float = inf,
    whole: bool = False,
) -> None:
    """Refuse a value that is no finite number, or out of its range.

    Raises:
        ConfigError: it is; the message names the range.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"option {name} must be a number, not {value!r}")
    if whole and isfinite(value) and not float(value).is_integer():
        raise ConfigError(f"option {name} must be a whole number, not {value!r}")
    if isfinite(value) and least <= value <= most and above < value < below:
        return
    limits = {"at least": least, "at most": most, "above": above, "below": below}
    told = " and ".join(f"{word} {limit:g}" for word, limit in limits.items() if isfinite(limit))
    raise ConfigError(f"option {name} must be {told}, not {value:g}")
