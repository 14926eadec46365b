"""What each setting may be, as tables: whoever adds a setting adds a line here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from parse_dfl.agents import modality_key, modality_set, parse_event, parse_mix
from parse_dfl.byzantine import parse_attacker
from parse_dfl.data.config import EVALUATION_PARTS, STANDARDISERS
from parse_dfl.engine.config import DTYPES, OPTIMIZERS, SCHEDULES, SHARED_MOMENTS
from parse_dfl.errors import ConfigError, unknown
from parse_dfl.methods.byzantine_rules import parse_robust
from parse_dfl.methods.names import check_method
from parse_dfl.networks.config import AUTO, FUSIONS
from parse_dfl.peers.config import PACES
from parse_dfl.process import parse_memory
from parse_dfl.text import LARGEST, LARGEST_REAL

ENGINES = ("simulate", "peers")
DEVICES = ("cpu", "cuda")
RECORDINGS = ("conflict",)
MOST_SECONDS = 10**7

_AT_MOST: Mapping[str, float] = {
    "seed": LARGEST,
    "eval_every": LARGEST,
    "eval_samples": LARGEST,
    "checkpoint_every": LARGEST,
    "network.latent": 1 << 20,
    "network.hidden": 1 << 20,
    "training.rounds": LARGEST,
    "training.local_epochs": 10**9,
    "training.local_steps": 10**9,
    "training.batch_size": 10**9,
    "training.lr": LARGEST_REAL,
    "training.weight_decay": LARGEST_REAL,
    "training.prior_correction": LARGEST_REAL,
    "peer.window": 10**9,
    "peer.staleness": 1000,
    "peer.deadline_s": MOST_SECONDS,
    "peer.least_round_s": MOST_SECONDS,
    "peer.lease_s": MOST_SECONDS,
}
"""What arrays, float32 and clocks hold; a width beyond has layers of terabytes."""

_AT_LEAST = {
    "seed": 0,
    "eval_every": 1,
    "eval_samples": 1,
    "checkpoint_every": 1,
    "network.latent": 1,
    "network.hidden": 1,
    "training.rounds": 1,
    "training.local_epochs": 1,
    "training.local_steps": 1,
    "training.batch_size": 1,
    "training.weight_decay": 0,
    "training.prior_correction": 0,
    "peer.window": 1,
    "peer.staleness": 0,
    "peer.least_round_s": 0,
}

MOST_RATIO = 1e6
"""Of the slices' widths; a latent is never as wide."""

_POSITIVE = ("training.lr", "peer.deadline_s", "peer.lease_s")

_FRACTIONS = (
    "network.dropout",
    "training.momentum",
    "training.global_momentum",
    "overlay.absence",
)
"""From 0 up to, but not including, 1."""

_CHOICES: Mapping[str, Sequence[str]] = {
    "engine": ENGINES,
    "network.fusion": FUSIONS,
    "training.optimizer": OPTIMIZERS,
    "training.schedule": SCHEDULES,
    "training.share_moments": SHARED_MOMENTS,
    "training.dtype": DTYPES,
    "data.evaluate_on": EVALUATION_PARTS,
    "data.standardise": STANDARDISERS,
    "peer.pace": PACES,
}


def check_values(values: Mapping[str, Any]) -> None:
    """Check every setting, ``values`` by place, such as ``training.lr``; None is not checked.

    Raises:
        ConfigError: a value is out of its range or names something unknown.
    """
    given = {place: value for place, value in values.items() if value is not None}
    _check_ranges(given)
    for place, known in _CHOICES.items():
        if given[place] not in known:
            raise unknown(_name(place).replace("_", " "), given[place], known)
    check_method(given["method"])
    _check_device(given["device"])
    if "training.memory_limit" in given:
        parse_memory(given["training.memory_limit"])
    _check_split(given["network.split"])
    _check_encoders(given["network.encoders"])
    for text in given["events"]:
        parse_event(text)
    _check_trust(given)
    for name in given["record"]:
        if name not in RECORDINGS:
            raise unknown("recording", name, RECORDINGS)
    if "agents" in given:
        parse_mix(given["agents"])


def _check_ranges(given: Mapping[str, Any]) -> None:
    for place, least in _AT_LEAST.items():
        if given.get(place, least) < least:
            raise ConfigError(f"{_name(place)} must be at least {least}, not {given[place]}")
    for place, most in _AT_MOST.items():
        if given.get(place, most) > most:
            raise ConfigError(f"{_name(place)} must be at most {most}, not {given[place]}")
    for place in _FRACTIONS:
        if not 0 <= given[place] < 1:
            raise ConfigError(f"{_name(place)} must be at least 0 and below 1, not {given[place]}")
    for place in _POSITIVE:
        if given.get(place, 1.0) <= 0:
            raise ConfigError(f"{_name(place)} must be above 0, not {given[place]}")


def _check_trust(given: Mapping[str, Any]) -> None:
    for text in given["overlay.attackers"]:
        parse_attacker(text)
    if given["overlay.attackers"] and given["engine"] != "simulate":
        raise ConfigError("attackers exist in simulations only; use --engine simulate")
    if given["data.standardise"] == "agreed":
        _check_agreement(given)
    if parse_robust(given["overlay.robust"]) and given["training.share_moments"] != "none":
        raise ConfigError(
            f"robust {given['overlay.robust']!r} guards parameters, not moments, which "
            "attackers could "
            "spoil as well; use --share-moments none or --robust none"
        )


def _check_agreement(given: Mapping[str, Any]) -> None:
    if given["overlay.attackers"] or given["overlay.robust"] != "none":
        raise ConfigError(
            "nothing guards what agents agree to standardise by against attackers; use "
            "--standardise "
            "own where some may lie"
        )


def _check_device(device: str) -> None:
    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise unknown("device", device, DEVICES)


def _check_split(split: Sequence[float] | str) -> None:
    if isinstance(split, str):
        if split != AUTO:
            raise ConfigError(f"split {split!r} must be three ratios, such as 1,1,1, or {AUTO}")
        return
    shown = ",".join(f"{ratio:g}" for ratio in split)
    if min(split) < 0:
        raise ConfigError(f"split {shown} has a negative ratio; a slice of ratio 0 is left out")
    if max(split) > MOST_RATIO:
        raise ConfigError(f"split {shown} has a ratio above {MOST_RATIO:g}; write one as 1,1,1")
    if sum(split) == 0:
        raise ConfigError(f"split {shown} sums to zero; give one slice at least a width, as 1,1,1")


def _check_encoders(encoders: Mapping[str, str]) -> None:
    for place in encoders:
        group, _, modality = place.rpartition(":")
        own = modality_key(modality, within=place)
        if group and own not in modality_set(group):
            raise ConfigError(
                f"encoder for {place!r}: agents of {group!r} have no modality {modality!r}; "
                "write MODALITY or GROUP:MODALITY, such as 'acc+gyro:acc'"
            )


def _name(place: str) -> str:
    return place.rpartition(".")[2]
