"""Modalities: their kinds, and sets of them with the keys by which files name them."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from itertools import combinations

from parse_dfl.errors import ConfigError
from parse_dfl.safe_names import name_key


class Kind(StrEnum):
    """How a modality's samples are laid out, which decides its default encoder."""

    VECTOR = "vector"  # (features,)
    SERIES = "series"  # (time, channels)
    IMAGE = "image"  # (height, width) or (height, width, channels)
    VIDEO = "video"  # (frames, height, width) or (frames, height, width, channels)


ModalitySet = tuple[str, ...]
"""Sorted, distinct keys of modality names (:mod:`parse_dfl.safe_names`), as ``("acc", "gyro")``."""


def modality_set(names: str | Iterable[str]) -> ModalitySet:
    """The modality set of ``"acc+gyro"`` or of any iterable of names, as keys.

    Raises:
        ConfigError: a name is empty, repeated, or holds what no name can (``+``, ``=``, ``,``).
    """
    parts = names.split("+") if isinstance(names, str) else list(names)
    keys = [modality_key(part, within=names) for part in parts]
    if not parts or len(set(keys)) != len(keys):
        raise ConfigError(f"modality set {names!r} must name at least one modality, each once")
    return tuple(sorted(keys))


def modality_key(name: str, within: object = None) -> str:
    """The key of one modality's name; ``within`` is the text that it stands in, for messages.

    Raises:
        ConfigError: it can be no name.
    """
    try:
        return name_key(name)
    except ValueError as reason:
        where = "" if within in (None, name) else f" (in {within!r})"
        raise ConfigError(f"{name!r} is no modality name{where}: {reason}") from None


def agent_key(name: str) -> str:
    """The name of an agent of a mix, written ``left wrist-0`` or by its key; others as they are."""
    group, dash, number = name.strip().rpartition("-")
    if not (dash and number.isdecimal()):
        return name
    try:
        return f"{key(modality_set(group))}-{number}"
    except ConfigError:
        return name


def key(modalities: Iterable[str]) -> str:
    """Sorted names joined by ``+``: how files and tables name a modality set."""
    return "+".join(sorted(modalities))


def pairs(modalities: Iterable[str]) -> list[tuple[str, str]]:
    """All unordered pairs, each sorted: synergy is kept per pair of modalities."""
    return list(combinations(sorted(modalities), 2))
