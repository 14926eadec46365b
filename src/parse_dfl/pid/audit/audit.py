"""The audit of trained agents: every measure, group by group, as values that JSON can hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from parse_dfl.data.dataset import MultimodalData
from parse_dfl.modalities import pairs
from parse_dfl.pid.audit.ablation import ablation
from parse_dfl.pid.audit.factors import purity
from parse_dfl.pid.audit.parts import AuditParts, Places
from parse_dfl.pid.audit.probes import STEPS, Readings, read
from parse_dfl.pid.audit.views import View, view
from parse_dfl.pid.features import features
from parse_dfl.training.agent_file import TrainedAgent

LABEL = "label"
RAW = "data"
NOISELESS = "noiseless"


@dataclass(frozen=True, kw_only=True)
class AuditConfig:
    """``probe_steps``: minibatch steps of each probe; ``seed`` of probes and draws."""

    probe_steps: int = STEPS
    seed: int = 0


def audit(
    agents: Sequence[TrainedAgent],
    data: MultimodalData,
    parts: AuditParts,
    config: AuditConfig = AuditConfig(),
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
    """
    samples = parts.samples
    views = [view(agent, data, samples) for agent in agents]
    targets = {LABEL: data.label[samples]}
    targets |= {name: values[samples] for name, values in data.factors.items()}
    raw = _raw(data, samples, {name for each in views for name in each.agent.modalities}, config)
    note(f"reading {len(targets)} targets from the slices of {len(views)} agents")
    readings = read(
        _everything(views, raw), targets, parts.places, steps=config.probe_steps, seed=config.seed
    )
    label = torch.from_numpy(data.label[samples])
    groups: dict[str, list[View]] = {}
    for each in views:
        groups.setdefault(each.agent.group, []).append(each)
    return {
        "samples": {name: len(getattr(parts, name)) for name in ("fit", "tune", "report")},
        "probe": {**asdict(readings.candidate), "steps": config.probe_steps},
        "chance": dict(readings.chance),
        "raw": {name: dict(readings.accuracy[f"{RAW}/{name}"]) for name in raw},
        "groups": {
            key: {
                "agents": [each.agent.name for each in own],
                **_reads(own, readings),
                "accuracy": _accuracy(own, label, parts.places),
            }
            for key, own in sorted(groups.items())
        },
    }


def _raw(
    data: MultimodalData, samples: NDArray[np.int64], modalities: set[str], config: AuditConfig
) -> dict[str, NDArray[np.float32]]:
    """The modalities themselves and every two of them, (samples, width); wide ones reduced."""
    single = {
        name: features(data.modalities[name][samples], config.seed) for name in sorted(modalities)
    }
    double = {
        f"{first},{second}": np.concatenate([single[first], single[second]], axis=1)
        for first, second in pairs(modalities)
    }
    return {**single, **double}


def _everything(
    views: Sequence[View], raw: Mapping[str, NDArray[np.float32]]
) -> dict[str, NDArray[np.float32]]:
    """All representations under names that tell whose they are."""
    named = {f"{RAW}/{name}": values for name, values in raw.items()}
    for each in views:
        for name, values in each.representations().items():
            named[f"{each.agent.name}/{name}"] = values
        for name, values in each.noiseless().items():
            named[f"{each.agent.name}/{NOISELESS}/{name}"] = values
    return named


def _reads(views: Sequence[View], readings: Readings) -> dict[str, Any]:
    """``reads``: slice → target → accuracy; ``purity``: slice → own and other label bits."""
    names = list(views[0].representations())
    noisy = views[0].noiseless()
    reads: dict[str, Any] = {}
    pure: dict[str, Any] = {}
    for name in names:
        through = [readings.accuracy[f"{each.agent.name}/{name}"] for each in views]
        free = [
            readings.accuracy[f"{each.agent.name}/{NOISELESS}/{name}"]
            for each in views
            if name in noisy
        ]
        reads[name] = {
            target: {
                "accuracy": fmean(one[target] for one in through),
                "noiseless": fmean(one[target] for one in free) if free else None,
                "values": [one[target] for one in through],
            }
            for target in through[0]
        }
        if len(through[0]) > 1:
            means = {target: found["accuracy"] for target, found in reads[name].items()}
            pure[name] = asdict(purity(name, means))
    return {"reads": reads, "purity": pure}


def _accuracy(views: Sequence[View], label: Tensor, places: Places) -> dict[str, Any]:
    """The means over the agents of :class:`~parse_dfl.pid.audit.ablation.Ablation`."""
    found = [
        asdict(ablation(each.outputs.map(lambda value: value[places.report]), label[places.report]))
        for each in views
    ]
    return {name: _mean([one[name] for one in found]) for name in found[0]}


def _mean(values: Sequence[Any]) -> Any:
    """The mean of numbers, or of each entry of dictionaries; None where one is None."""
    if isinstance(values[0], dict):
        return {name: _mean([value[name] for value in values]) for name in values[0]}
    return None if None in values else fmean(values)
