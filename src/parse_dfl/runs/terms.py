"""The terms of an experiment: which settings all sites must have alike, field by field."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from parse_dfl.config import SETTINGS, RunConfig, value_at
from parse_dfl.config.topology import GraphFile
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.errors import ConfigError
from parse_dfl.peers.announcement import SAMPLE, class_terms, short
from parse_dfl.settings import to_plain

TASK = "classification"

SHARED = tuple(path for path, entry in SETTINGS.items() if entry.declaration.shared)
"""Paths of the settings that are the same at every site, or no number means anything."""


def terms_of(config: RunConfig, data: MultimodalData, *, lr: float) -> dict[str, str]:
    """The terms of an agent; ``lr`` is the method's own rate, where none is set."""
    terms = {"task": TASK, **class_terms(data.label_names)}
    for path in SHARED:
        terms[SETTINGS[path].name] = short(_text(config, path, lr))
    for modality in sorted(data.modalities):
        shape = "x".join(map(str, data.shape(modality))) or "1"
        terms[short(f"{SAMPLE}{modality}")[:128]] = short(f"{data.kinds[modality]} {shape}")
    return terms


def _text(config: RunConfig, path: str, lr: float) -> str:
    value = value_at(config, path)
    if path == "training.lr" and value is None:
        value = lr
    if isinstance(value, GraphFile):
        return _of_file(Path(value.path))
    plain = to_plain(value)
    return plain if isinstance(plain, str) else json.dumps(plain, sort_keys=True)


def _of_file(path: Path) -> str:
    """A file is known by what it holds: its path is the site's own affair."""
    try:
        digest = hashlib.blake2b(path.read_bytes(), digest_size=12).hexdigest()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}") from error
    return f"file with digest {digest}"
