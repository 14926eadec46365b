"""The measures of the agents of one modality set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

import torch

from parse_dfl.agents import pairs
from parse_dfl.analysis.probing.ablation import ablation
from parse_dfl.analysis.probing.agent_outputs import KINDS, Material, View, sides
from parse_dfl.analysis.probing.dependence import dependence
from parse_dfl.analysis.probing.measures import mean, mean_decomposition
from parse_dfl.analysis.probing.predictability import predictability
from parse_dfl.analysis.probing.purity import purity


def group_measures(views: Sequence[View], material: Material) -> dict[str, Any]:
    """Every measure, averaged over the agents; ``noiseless`` repeats those of the slices without
    the channels' noise (None: no channel is noisy)."""
    return {
        "agents": [each.agent.name for each in views],
        **_reads(views, material),
        "accuracy": _accuracy(views, material),
        **_slices(views, material, noiseless=False),
        "noiseless": _slices(views, material, noiseless=True) if views[0].is_noisy else None,
    }


def _reads(views: Sequence[View], material: Material) -> dict[str, Any]:
    """``reads``: representation → target → accuracy; ``purity``: representation → own and other
    label bits, where there are true factors (not of one side of a synergistic slice, which
    cannot hold synergy)."""
    reads: dict[str, Any] = {}
    pure: dict[str, Any] = {}
    for name in views[0].representations():
        through = [material.accuracy(each.agent.name, name) for each in views]
        free = [material.noiseless(each.agent.name, name) for each in views]
        reads[name] = {
            target: {
                "accuracy": fmean(one[target] for one in through),
                "noiseless": mean([one and one[target] for one in free]),
                "values": [one[target] for one in through],
            }
            for target in through[0]
        }
        if len(through[0]) > 1 and name not in views[0].outputs.sides:
            pure[name] = {
                "through": asdict(purity(name, mean(through))),
                "noiseless": None if None in free else asdict(purity(name, mean(free))),
            }
    return {"reads": reads, "purity": pure}


def _accuracy(views: Sequence[View], material: Material) -> dict[str, Any]:
    report = material.places.report
    label = torch.from_numpy(material.label[report])
    return dict(
        mean(
            [
                asdict(ablation(each.outputs.map(lambda value: value[report]), label))
                for each in views
            ]
        )
    )


def _slices(views: Sequence[View], material: Material, *, noiseless: bool) -> dict[str, Any]:
    """Bits and predictability of the kinds, and dependence inside each modality."""
    return {
        "bits": _bits(views, material, noiseless=noiseless),
        "predictability": mean(
            [_predictability(each, material, noiseless=noiseless) for each in views]
        ),
        "dependence": mean([_dependence(each, material, noiseless=noiseless) for each in views]),
    }


def _bits(views: Sequence[View], material: Material, *, noiseless: bool) -> dict[str, Any]:
    """Kind → pair → decomposition about the label."""
    found: dict[str, Any] = {}
    for kind in KINDS:
        for pair in pairs(views[0].agent.modalities):
            names = (*sides(kind, pair), f"{kind}.{','.join(pair)}")
            if names[2] in views[0].representations():
                decomposed = [
                    material.bits(_stored(each, names, material, noiseless=noiseless), pair)
                    for each in views
                ]
                found.setdefault(kind, {})[",".join(pair)] = mean_decomposition(decomposed)
    return found


def _stored(
    each: View, names: tuple[str, str, str], material: Material, *, noiseless: bool
) -> tuple[str, str, str]:
    """The names of the readings; those of the channel where it adds no noise."""

    def stored(name: str) -> str:
        free = f"{each.agent.name}/noiseless/{name}"
        return (
            free if noiseless and free in material.readings.scores else f"{each.agent.name}/{name}"
        )

    first, second, both = names
    return stored(first), stored(second), stored(both)


def _predictability(each: View, material: Material, *, noiseless: bool) -> dict[str, Any]:
    """Kind → ``a>b`` → R² of predicting the second modality's slice from the first's."""
    values = each.values(noiseless=noiseless)
    asked = {
        (kind, f"{pair[i]}>{pair[1 - i]}"): (values[names[i]], values[names[1 - i]])
        for kind in KINDS
        for pair in pairs(each.agent.modalities)
        for names in [sides(kind, pair)]
        if names[0] in values and names[1] in values
        for i in (0, 1)
    }
    if not asked:
        return {}
    told = predictability(
        {" ".join(name): both for name, both in asked.items()},
        material.label,
        material.places,
        steps=material.steps,
        seed=material.seed,
    )
    found: dict[str, Any] = {}
    for kind, way in asked:
        found.setdefault(kind, {})[way] = asdict(told[f"{kind} {way}"])
    return found


def _dependence(each: View, material: Material, *, noiseless: bool) -> dict[str, Any]:
    """``redundant.a unique.a`` → alignment, for every two slices that one modality owns."""
    values = each.values(noiseless=noiseless)
    report = material.places.report
    found = {}
    for modality in each.agent.modalities:
        own = [name for name in values if name.rpartition(".")[2] == modality]
        for first, second in pairs(own):
            measured = dependence(
                values[first][report],
                values[second][report],
                material.label[report],
                seed=material.seed,
            )
            found[f"{first} {second}"] = asdict(measured)
    return found
