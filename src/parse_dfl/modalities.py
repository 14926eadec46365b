"""Modalities: their kinds, and sets of them with the keys by which files name them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from itertools import combinations

from parse_dfl.errors import ConfigError


class Kind(StrEnum):
    """How a modality's samples are laid out, which decides its default encoder."""

    VECTOR = "vector"  # (features,)
    SERIES = "series"  # (time, channels)
    IMAGE = "image"  # (height, width) or (height, width, channels)
    VIDEO = "video"  # (frames, height, width) or (frames, height, width, channels)


ModalitySet = tuple[str, ...]
"""Sorted, distinct modality names, such as ``("acc", "gyro")``."""

_NAME = re.compile(r"[A-Za-z0-9_]+")


def modality_set(names: str | Iterable[str]) -> ModalitySet:
    """The modality set of ``"acc+gyro"`` or of any iterable of names.

    Raises:
        ConfigError: a name is empty, repeated, or holds anything but letters, digits and ``_``.
    """
    parts = [part.strip() for part in names.split("+")] if isinstance(names, str) else list(names)
    for part in parts:
        if not _NAME.fullmatch(part):
            raise ConfigError(
                f"{part!r} is no modality name (in {names!r}); "
                "use letters, digits and _, joined by +, such as 'acc+gyro'"
            )
    if not parts or len(set(parts)) != len(parts):
        raise ConfigError(f"modality set {names!r} must name at least one modality, each once")
    return tuple(sorted(parts))


def key(modalities: Iterable[str]) -> str:
    """Sorted names joined by ``+``: how files and tables name a modality set."""
    return "+".join(sorted(modalities))


def pairs(modalities: Iterable[str]) -> list[tuple[str, str]]:
    """All unordered pairs, each sorted: synergy is kept per pair of modalities."""
    return list(combinations(sorted(modalities), 2))
