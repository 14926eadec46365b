"""Objects to the text forms that configurations keep: text is written at this edge only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from parse_dfl.agents import parse_mix
from parse_dfl.errors import ConfigError
from parse_dfl.methods.byzantine_rules import ROBUST


def number(value: float) -> str:
    """Return the shortest text that reads back as ``value``: ``1``, ``0.3``."""
    short = f"{value:g}"
    return short if float(short) == value else repr(float(value))


def mix_text(agents: str | Mapping[str, int]) -> str:
    """Return agents per modality set as text: ``{"top": 5, "top+bottom": 2}``.

    Raises:
        ConfigError: a count is no whole number above 0, or a name cannot be used.
    """
    if isinstance(agents, str):
        parse_mix(agents)
        return agents
    if not isinstance(agents, Mapping) or not agents:
        raise ConfigError(
            f"agents must map modality sets to counts, as {{'acc': 5, 'acc+gyro': 2}}, "
            f"not {agents!r}"
        )
    for modalities, count in agents.items():
        if isinstance(count, bool) or not isinstance(count, int):
            raise ConfigError(f"agents of {modalities!r} must be a whole number, not {count!r}")
    return str(parse_mix(",".join(f"{names}={count}" for names, count in agents.items())))


def samples_text(samples: Any) -> str | None:
    """Return samples per agent as text: ``64``, ``(16, 128)``, or either by modality set.

    Raises:
        ConfigError: the value is of none of these forms.
    """
    if samples is None or isinstance(samples, str):
        return samples
    if isinstance(samples, Mapping):
        return ",".join(f"{names}={samples_text(value)}" for names, value in samples.items())
    if isinstance(samples, tuple) and len(samples) == 2:
        return f"{samples_text(samples[0])}..{samples_text(samples[1])}"
    if isinstance(samples, int) and not isinstance(samples, bool):
        return str(samples)
    raise ConfigError(
        f"samples_per_agent must be 64, a range (16, 128), or either by modality set as "
        f"{{'acc': 64, 'gyro': (16, 32)}}, not {samples!r}"
    )


def robust_text(robust: object) -> str:
    """Return a robust aggregation rule as text: ``clipping:attackers=0.2,radius=0``.

    Raises:
        ConfigError: it is neither a rule nor a text.
    """
    for name, kind in ROBUST.items():
        if isinstance(robust, kind):
            settings = [f"{field.name}={getattr(robust, field.name)}" for field in fields(kind)]
            return f"{name}:{','.join(settings)}"
    if isinstance(robust, str):
        return robust
    raise ConfigError(
        f"robust must be an object such as Clipping() or its text ({', '.join(ROBUST)}), "
        f"not {robust!r}"
    )


def plain(value: Any) -> Any:
    """Return numpy scalars as Python's own numbers, sequences as tuples, all else as it is."""
    if isinstance(value, str | Mapping):
        return value
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        return value.item()
    return tuple(map(plain, value)) if isinstance(value, Iterable) else value
