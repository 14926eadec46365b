"""The settings of robust mixing, in a file that costs nothing to import.

``NAME`` or ``NAME:SETTING=VALUE,SETTING=VALUE``, such as ``clipping``,
``trimmed-mean:attackers=1`` or
``balance:gamma=0.5,kappa=0``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import ceil
from typing import Any

from parse_dfl.errors import ConfigError, nearest, unknown
from parse_dfl.text import LARGEST_REAL, real

NONE = "none"


@dataclass(frozen=True, kw_only=True)
class Clipping:
    """``attackers`` are so many of an agent's neighbours, below 1 a share of them, rounded up; the
    radius is the largest distance of the others.  ``radius`` above 0 fixes it instead."""

    attackers: float = 0.2
    radius: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Balance:
    """A neighbour is heard if it is nearer than ``gamma`` · exp(-``kappa`` · t/T) times the length
    of one's own parameters.

    ``gamma`` was tuned on validation data (studies/robustness): smaller, it shuts out the honest
    as well.
    """

    gamma: float = 1.0
    kappa: float = 1.0


@dataclass(frozen=True, kw_only=True)
class TrimmedMean:
    """``attackers`` as in :class:`Clipping`: so many of the largest and of the smallest numbers are
    left out, in every column."""

    attackers: float = 0.2


Robustness = Clipping | Balance | TrimmedMean

ROBUST: Mapping[str, type[Robustness]] = {
    "clipping": Clipping,
    "balance": Balance,
    "trimmed-mean": TrimmedMean,
}
"""Name → settings."""


def parse_robust(text: str) -> Robustness | None:
    """Read the setting ``overlay.robust``; None for ``none``.

    Raises:
        ConfigError: the rule or a setting is unknown, or a value is out of its range.
    """
    name, colon, given = text.partition(":")
    if name == NONE and not colon:
        return None
    if name not in ROBUST:
        raise unknown("robust mixing", name, [NONE, *ROBUST])
    kind = ROBUST[name]
    pairs = [_value(name, part) for part in given.split(",")] if colon else []
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ConfigError(f"robust {text!r} gives a setting twice; give each once")
    known = [field.name for field in fields(kind)]
    for setting, value in values.items():
        if setting not in known:
            raise ConfigError(f"{name} has no setting {setting!r}{nearest(setting, known)}")
        _check(name, setting, value)
    settings: dict[str, Any] = values
    return kind(**settings)


def attackers_among(attackers: float, degree: int) -> int:
    """How many of ``degree`` neighbours are taken for attackers: a number, or a share rounded
    up."""
    return int(attackers) if attackers >= 1 else ceil(attackers * degree - 1e-9)


def _value(name: str, part: str) -> tuple[str, float]:
    setting, equals, text = part.partition("=")
    value = real(text)
    if not equals or value is None:
        raise ConfigError(
            f"{part!r} is no setting of {name}; write SETTING=NUMBER, such as "
            "'clipping:attackers=2'"
        )
    return setting.strip(), value


def _check(name: str, setting: str, value: float) -> None:
    least_open = setting in ("attackers", "gamma")
    if not 0 <= value <= LARGEST_REAL or (least_open and value == 0):
        told = "above 0" if least_open else "at least 0"
        most = f", at most {LARGEST_REAL:g}" if value > LARGEST_REAL else ""
        raise ConfigError(f"{setting} of {name} must be {told}{most}, not {value:g}")
    if setting == "attackers" and value > 1 and not value.is_integer():
        raise ConfigError(
            f"attackers of {name} must be a whole number, or a share below 1, not {value:g}"
        )
