"""The terms of an experiment: the settings that all sites must have alike, field by field."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from parse_dfl.data.dataset import MultimodalData
from parse_dfl.errors import ConfigError
from parse_dfl.peers.compatibility import SAMPLE, class_terms, short
from parse_dfl.runs.config import RunConfig, value_at

TASK = "classification"

EQUAL = (
    "method",
    "method_options",
    "seed",  # of starting weights and random overlays
    "data.standardise",
    "network.latent",
    "network.hidden",
    "network.split",
    "network.fusion",
    "network.dropout",
    "training.rounds",
    "training.local_epochs",
    "training.local_steps",
    "training.batch_size",
    "training.optimizer",
    "training.lr",
    "training.momentum",
    "training.global_momentum",
    "training.weight_decay",
    "training.schedule",
    "training.share_moments",
    "training.prior_correction",
    "training.dtype",
    "overlay.topology",
    "overlay.by_samples",
    "overlay.absence",
    "overlay.robust",
    "peer.pace",
    "peer.window",
    "peer.staleness",
)
"""Settings that must be the same at every site for a federation's numbers to mean anything."""

FREE = (
    "agents",
    "data.data",
    "data.partition",
    "data.test",
    "data.samples_per_agent",
    "data.evaluate_on",
    "data.kind",  # the kinds that come of it are compared, modality by modality
    "data.subject_key",
    "data.data_dir",
    "network.encoders",  # may differ by group; branches mix only where architectures are equal
    "training.mixed_precision",
    "training.memory_limit",
    "overlay.attackers",
    "peer.deadline_s",
    "peer.least_round_s",
    "peer.lease_s",
    "peer.insecure",
    "events",
    "eval_every",
    "eval_samples",
    "checkpoint_every",
    "record",
    "device",
    "compile",
    "engine",
)
"""Settings that are a site's own affair."""


def terms_of(config: RunConfig, data: MultimodalData, *, lr: float) -> dict[str, str]:
    """Return the terms of an agent; ``lr`` is the method's own rate, where none is set."""
    terms = {"task": TASK, **class_terms(data.label_names)}
    for place in EQUAL:
        terms[place.rpartition(".")[2]] = short(_text(config, place, lr))
    for modality in sorted(data.modalities):
        shape = "x".join(map(str, data.shape(modality))) or "1"
        terms[short(f"{SAMPLE}{modality}")[:128]] = short(f"{data.kinds[modality]} {shape}")
    return terms


def _text(config: RunConfig, place: str, lr: float) -> str:
    value = value_at(config, place)
    if place == "training.lr" and value is None:
        value = lr
    if place == "overlay.topology" and value.startswith("file:"):
        return _of_file(Path(value.removeprefix("file:")))
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=dict)


def _of_file(path: Path) -> str:
    """Identify a file by what it holds: its path is the site's own affair."""
    try:
        digest = hashlib.blake2b(path.read_bytes(), digest_size=12).hexdigest()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}") from error
    return f"file with digest {digest}"
