"""Means over agents of what was measured of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any


def mean(values: Sequence[Any]) -> Any:
    """The mean of numbers, or of the entries that all dictionaries have; None where one is None."""
    if isinstance(values[0], Mapping):
        shared = [name for name in values[0] if all(name in value for value in values)]
        return {name: mean([value[name] for value in values]) for name in shared}
    return None if None in values else fmean(values)


def mean_decomposition(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The mean bits of decompositions, and every warning of theirs, once."""
    return {
        "bits": mean([one["bits"] for one in found]),
        "values": [one["bits"] for one in found],
        "ci95": [one["ci95"] for one in found],
        "warnings": list(dict.fromkeys(text for one in found for text in one["warnings"])),
    }
