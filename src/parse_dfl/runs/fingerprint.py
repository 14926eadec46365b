"""What an experiment is known by: a checkpoint goes on only in the one that wrote it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from parse_dfl.data.dataset import MultimodalData
from parse_dfl.runs.config import RunConfig, to_dict


def fingerprint(config: RunConfig, seeds: Sequence[int], method: str, data: MultimodalData) -> str:
    """A hash of all that the numbers depend on: configuration, seeds, method, data."""
    settings = to_dict(config)
    for free in ("eval_every", "eval_samples", "checkpoint_every", "record", "seed", "peer"):
        settings.pop(free)
    settings["data"].pop("data_dir")
    shapes = {name: values.shape for name, values in data.modalities.items()}
    label = hashlib.blake2b(data.label.tobytes(), digest_size=8).hexdigest()
    told = json.dumps(settings, sort_keys=True, default=str)
    parts = (told, tuple(seeds), method, sorted(shapes.items()), label)
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()
