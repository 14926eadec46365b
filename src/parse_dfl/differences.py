"""Which settings of two experiments differ, in words."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

Settings = Mapping[str, Any]
"""Plain settings: tables in tables, as :func:`parse_dfl.runs.config.to_dict` makes them."""


def differences(before: Settings, now: Settings, *, free: Collection[str] = ()) -> list[str]:
    """``training.lr is 0.006 there, 0.01 here`` for each setting that differs.

    ``free`` are places, such as ``data.data_dir``, that may differ.
    """
    one, other = dict(_flat(before)), dict(_flat(now))
    return [
        f"{place} is {_shown(one, place)} there, {_shown(other, place)} here"
        for place in sorted({*one, *other} - set(free))
        if one.get(place) != other.get(place) and place.partition(".")[0] not in free
    ]


def _flat(settings: Settings, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", tuple(value) if isinstance(value, list) else value


def _shown(settings: Settings, place: str) -> str:
    value = settings.get(place)
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    return "not set" if value is None else str(value)
