"""The audit of trained agents: every measure, group by group, as values that JSON can hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parse_dfl.agents import pairs
from parse_dfl.analysis.pid.features import features
from parse_dfl.analysis.probing.agent_outputs import LABEL, Material, View, view
from parse_dfl.analysis.probing.config import AuditConfig
from parse_dfl.analysis.probing.cross_agent_pairs import Across, encounters
from parse_dfl.analysis.probing.groups import group_measures
from parse_dfl.analysis.probing.parts import AuditParts
from parse_dfl.analysis.probing.probes import read
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.engine.agent_io import TrainedAgent

Array = NDArray[np.float32]

RAW = "data/"
"""What stands before the names of the modalities themselves."""


def audit(
    agents: Sequence[TrainedAgent],
    data: MultimodalData,
    parts: AuditParts,
    config: AuditConfig,
    *,
    note: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Measure what the agents' slices hold (``docs/files.md``, *audit.json*).

    Args:
        agents: those to audit, of any modality sets, trained on ``data``.
        data: the data set.
        parts: the samples to fit, tune and report on.
        config: settings.
        note: told what is going on.

    Raises:
        ConfigError: an agent's network has no slices.
        CheckpointError: an agent's training diverged.
    """
    samples = parts.samples
    views = [view(agent, data, samples) for agent in agents]
    raw = _raw(data, samples, sorted({m for each in views for m in each.agent.modalities}), config)
    met = encounters(views)
    targets = {LABEL: data.label[samples]}
    targets |= {name: values[samples] for name, values in data.factors.items()}
    everything = _everything(views, raw, met)
    note(f"{len(everything)} probes read {', '.join(targets)}")
    readings = read(everything, targets, parts.places, steps=config.probe_steps, seed=config.seed)
    material = Material(
        readings=readings,
        label=targets[LABEL],
        subject=None if data.subject is None else data.subject[samples],
        places=parts.places,
        steps=config.probe_steps,
        seed=config.seed,
    )
    note("bits, predictability and dependence of the slices")
    groups: dict[str, list[View]] = {}
    for each in views:
        groups.setdefault(each.agent.group, []).append(each)
    found = {
        "samples": {name: len(getattr(parts, name)) for name in ("fit", "tune", "report")},
        "probe": {**asdict(readings.candidate), "steps": config.probe_steps},
        "chance": dict(readings.chance),
        "raw": _raw_measures(raw, material),
        "groups": {group: group_measures(own, material) for group, own in sorted(groups.items())},
        "across": [each.measures(material) for each in met],
    }
    return {**found, "warnings": list(material.doubts)}


def _raw_measures(raw: Mapping[str, Array], material: Material) -> dict[str, Any]:
    modalities = [name for name in raw if "," not in name]
    return {
        "reads": {name: dict(material.readings.accuracy[f"{RAW}{name}"]) for name in raw},
        "bits": {
            f"{a},{b}": material.bits((f"{RAW}{a}", f"{RAW}{b}", f"{RAW}{a},{b}"), (a, b))
            for a, b in pairs(modalities)
        },
    }


def _raw(
    data: MultimodalData,
    samples: NDArray[np.int64],
    modalities: Sequence[str],
    config: AuditConfig,
) -> dict[str, Array]:
    """The modalities themselves and every two of them, (samples, width).

    Samples of more than 512 numbers are reduced to 128 principal components.
    """
    single = {name: features(data.modalities[name][samples], config.seed) for name in modalities}
    double = {
        f"{first},{second}": np.concatenate([single[first], single[second]], axis=1)
        for first, second in pairs(modalities)
    }
    return {**single, **double}


def _everything(
    views: Sequence[View], raw: dict[str, Array], met: Sequence[Across]
) -> dict[str, Array]:
    """All representations, under names that tell whose they are."""
    named = {f"{RAW}{name}": values for name, values in raw.items()}
    for each in views:
        for name, values in each.representations().items():
            named[f"{each.agent.name}/{name}"] = values
        for name, values in each.representations(noiseless=True).items():
            named[f"{each.agent.name}/noiseless/{name}"] = values
    for one in met:
        named |= one.representations()
    return named
