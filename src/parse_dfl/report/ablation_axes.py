"""Which settings differ between the comparisons of a folder, and which differ in one alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from parse_dfl.report.records import Collection, Comparison
from parse_dfl.text import whole

CELL_PLACES = ("data.data", "agents", "data.partition")
"""What makes a cell of a matrix; a panel of their own only where the data set is one."""
IGNORED = ("data.data_dir", "seed", "method", "record", "device", "engine", "checkpoint_every")
SPLIT = "network.split"


@dataclass(frozen=True, kw_only=True)
class Variation:
    """Comparisons that differ in the setting at ``place`` alone.

    ``at`` holds the value and the comparison, numbers in their order; ``fixed`` says what tells
    these comparisons from those of another variation of the same setting.
    """

    place: str
    fixed: str
    at: tuple[tuple[Any, Comparison], ...]

    @property
    def name(self) -> str:
        """The setting's own name."""
        return short_name(self.place)

    @property
    def is_numeric(self) -> bool:
        """Whether every value is a number."""
        return all(isinstance(value, int | float) for value, _ in self.at)


def variations(collection: Collection) -> list[Variation]:
    """Every setting that varies while all others are equal, at least over two values."""
    configs = [_flat(comparison.config) for comparison in collection.comparisons]
    places = sorted({place for config in configs for place in config})
    varied = [p for p in places if len({json.dumps(c.get(p)) for c in configs}) > 1]
    one_set = "data.data" not in varied
    kept = [place for place in varied if one_set or place not in CELL_PLACES]
    return [
        variation
        for place in kept
        for variation in _along(
            place, varied, list(zip(configs, collection.comparisons, strict=True))
        )
    ]


def differing(collection: Collection) -> list[str]:
    """The settings in which the comparisons differ, by their short names."""
    configs = [_flat(comparison.config) for comparison in collection.comparisons]
    places = sorted({place for config in configs for place in config})
    varied = [p for p in places if len({json.dumps(c.get(p)) for c in configs}) > 1]
    return list(dict.fromkeys(map(short_name, varied)))


def _along(
    place: str, varied: list[str], rows: list[tuple[dict[str, Any], Comparison]]
) -> Iterator[Variation]:
    groups: dict[str, dict[str, tuple[Any, Comparison]]] = {}
    for config, comparison in rows:
        others = {name: config.get(name) for name in varied if name != place}
        value = _value(place, config.get(place))
        own = groups.setdefault(json.dumps(others, sort_keys=True), {})
        own.setdefault(json.dumps(value), (value, comparison))
    for fixed, found in groups.items():
        if len(found) > 1:
            at = sorted(found.values(), key=lambda pair: _order(pair[0]))
            yield Variation(place=place, fixed=_words(json.loads(fixed)), at=tuple(at))


def _words(settings: Mapping[str, Any]) -> str:
    """``rounds 100, ring``: names are texts enough for themselves, numbers need theirs."""
    return ", ".join(
        value if isinstance(value, str) else f"{short_name(place)} {told(value)}"
        for place, value in settings.items()
    )


def short_name(place: str) -> str:
    """``training.local_epochs`` as ``local epochs``."""
    return place.rpartition(".")[2].replace("_", " ")


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{name}.")
        elif f"{prefix}{name}" not in IGNORED:
            found[f"{prefix}{name}"] = value
    return found


def _value(place: str, value: Any) -> Any:
    """Numbers as numbers: how many agents a mix has, how many samples an agent."""
    if place == "agents" and isinstance(value, str):
        return sum(int(part.rpartition("=")[2]) for part in value.split(","))
    number = whole(value) if isinstance(value, str) else None
    return value if number is None else number


def _order(value: Any) -> tuple[bool, float, str]:
    number = isinstance(value, int | float)
    return (not number, float(value) if number else 0.0, told(value))


def told(value: Any) -> str:
    """A setting's value as the command line takes it."""
    if isinstance(value, list):
        return ",".join(told(entry) for entry in value)
    if value is None:
        return "default"
    return f"{value:g}" if isinstance(value, float) else str(value)
