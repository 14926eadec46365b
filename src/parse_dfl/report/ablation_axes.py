"""Find the settings in which the comparisons of a folder differ, alone or together."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from parse_dfl.report.collection import Collection
from parse_dfl.report.load import Comparison
from parse_dfl.text import whole

CELL_SETTINGS = ("data.data", "agents", "data.partition")
"""What makes a cell of a matrix; an axis of their own only where the data set is one."""
IGNORED = ("data.data_dir", "seed", "method", "record", "device", "engine", "checkpoint_every")
SPLIT = "network.split"

Settings = Mapping[str, Any]
"""Setting (``training.local_epochs``) → value."""


@dataclass(frozen=True, kw_only=True)
class AblationAxis:
    """Comparisons that differ in one setting alone.

    ``points`` holds the setting's value and the comparison, numbers in their order; ``fixed``
    says what tells these comparisons from those of another axis of the same setting.
    """

    setting: str
    fixed: str
    points: tuple[tuple[Any, Comparison], ...]

    @property
    def name(self) -> str:
        """The setting without its table."""
        return short_name(self.setting)

    @property
    def is_numeric(self) -> bool:
        """Whether every value is a number."""
        return all(isinstance(value, int | float) for value, _ in self.points)


def ablation_axes(collection: Collection) -> list[AblationAxis]:
    """Return every setting that takes several values while all others are equal."""
    configs = [_flat(comparison.config) for comparison in collection.comparisons]
    rows = list(zip(configs, collection.comparisons, strict=True))
    varied = _varied(configs)
    is_one_set = "data.data" not in varied
    return [
        axis
        for setting in varied
        if is_one_set or setting not in CELL_SETTINGS
        for axis in _axes(setting, varied, rows)
    ]


def differing(collection: Collection) -> list[str]:
    """Return the settings in which the comparisons differ, by their short names."""
    configs = [_flat(comparison.config) for comparison in collection.comparisons]
    return list(dict.fromkeys(map(short_name, _varied(configs))))


def _varied(configs: Sequence[Settings]) -> list[str]:
    settings = sorted({setting for config in configs for setting in config})
    return [name for name in settings if len({json.dumps(c.get(name)) for c in configs}) > 1]


def _axes(
    setting: str, varied: Sequence[str], rows: Sequence[tuple[Settings, Comparison]]
) -> Iterator[AblationAxis]:
    groups: dict[str, dict[str, tuple[Any, Comparison]]] = {}
    for config, comparison in rows:
        others = {name: config.get(name) for name in varied if name != setting}
        value = _value(setting, config.get(setting))
        group = groups.setdefault(json.dumps(others, sort_keys=True), {})
        group.setdefault(json.dumps(value), (value, comparison))
    for others_text, group in groups.items():
        if len(group) > 1:
            points = sorted(group.values(), key=lambda point: _order(point[0]))
            fixed = _words(json.loads(others_text))
            yield AblationAxis(setting=setting, fixed=fixed, points=tuple(points))


def _words(settings: Settings) -> str:
    """Write ``rounds 100, ring``: names say enough by themselves, numbers need their setting."""
    return ", ".join(
        value if isinstance(value, str) else f"{short_name(setting)} {value_text(value)}"
        for setting, value in settings.items()
    )


def short_name(setting: str) -> str:
    """Return ``training.local_epochs`` as ``local epochs``."""
    return setting.rpartition(".")[2].replace("_", " ")


def value_text(value: Any) -> str:
    """Return a setting's value as the command line takes it."""
    if isinstance(value, list):
        return ",".join(value_text(entry) for entry in value)
    if value is None:
        return "default"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _flat(config: Settings, prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        elif f"{prefix}{name}" not in IGNORED:
            flat[f"{prefix}{name}"] = value
    return flat


def _value(setting: str, value: Any) -> Any:
    """Return numbers as numbers: how many agents a mix has, how many samples an agent."""
    if setting == "agents" and isinstance(value, str):
        return sum(int(part.rpartition("=")[2]) for part in value.split(","))
    number = whole(value) if isinstance(value, str) else None
    return value if number is None else number


def _order(value: Any) -> tuple[bool, float, str]:
    number = isinstance(value, int | float)
    return (not number, float(value) if number else 0.0, value_text(value))
