"""Audit trained agents: every measure, group by group, as values that JSON can hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from parse_dfl.agents import pairs
from parse_dfl.analysis.probing.agent_outputs import (
    KINDS,
    AgentOutputs,
    CrossAgentPair,
    ablation,
    cross_agent_pairs,
    slice_names,
)
from parse_dfl.analysis.probing.context import ProbeContext, ProbeSamples, raw_name
from parse_dfl.analysis.probing.probes import purity
from parse_dfl.analysis.probing.relations import dependence, predictability
from parse_dfl.config import AuditConfig
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.engine.agent_io import TrainedAgent

Array = NDArray[np.float32]


def audit(
    agents: Sequence[TrainedAgent],
    data: MultimodalData,
    samples: ProbeSamples,
    config: AuditConfig,
    *,
    note: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Measure what the agents' slices hold (``docs/files.md``, *audit.json*).

    Args:
        agents: those to audit, of any modality sets, trained on ``data``.
        data: the data set.
        samples: the samples to fit, tune and report on.
        config: settings.
        note: told what is going on.

    Raises:
        ConfigError: an agent's network has no slices.
        CheckpointError: an agent's training diverged.
    """
    outputs = [AgentOutputs.of(agent, data, samples.all) for agent in agents]
    cross_pairs = cross_agent_pairs(outputs)
    context = ProbeContext.build(outputs, cross_pairs, data, samples, config, note)
    note("bits, predictability and dependence of the slices")
    groups: dict[str, list[AgentOutputs]] = {}
    for agent_outputs in outputs:
        groups.setdefault(agent_outputs.agent.group, []).append(agent_outputs)
    measures = {
        "samples": {name: len(getattr(samples, name)) for name in ("fit", "tune", "report")},
        "probe": {**asdict(context.results.candidate), "steps": config.probe_steps},
        "chance": dict(context.results.chance),
        "raw": _raw_measures(context),
        "groups": {name: _group(members, context) for name, members in sorted(groups.items())},
        "across": [_cross_agent(pair, context) for pair in cross_pairs],
    }
    return {**measures, "warnings": list(context.warnings)}


def _raw_measures(context: ProbeContext) -> dict[str, Any]:
    """Measure the modalities themselves: what probes read from them, and the bits of every two."""
    modalities = [name for name in context.raw if "," not in name]
    return {
        "reads": {name: dict(context.accuracy(raw_name(name))) for name in context.raw},
        "bits": {
            f"{a},{b}": context.decompose((raw_name(a), raw_name(b), raw_name(f"{a},{b}")), (a, b))
            for a, b in pairs(modalities)
        },
    }


def _group(members: Sequence[AgentOutputs], context: ProbeContext) -> dict[str, Any]:
    """Return every measure, averaged over the agents of one modality set.

    ``noiseless`` repeats those of the slices without the channels' noise (None: no channel is
    noisy).
    """
    return {
        "agents": [outputs.agent.name for outputs in members],
        **_reads(members, context),
        "accuracy": _accuracy(members, context),
        **_slices(members, context, noiseless=False),
        "noiseless": _slices(members, context, noiseless=True) if members[0].is_noisy else None,
    }


def _reads(members: Sequence[AgentOutputs], context: ProbeContext) -> dict[str, Any]:
    """Return ``reads``, representation → target → accuracy, and ``purity`` by representation.

    Purity, where there are true factors, is not of one side of a synergistic slice, which cannot
    hold synergy.
    """
    reads: dict[str, Any] = {}
    purities: dict[str, Any] = {}
    for name in members[0].representations():
        through = [context.accuracy(outputs.stored_name(name)) for outputs in members]
        free = [
            context.results.accuracy.get(outputs.stored_name(name, noiseless=True))
            for outputs in members
        ]
        reads[name] = {
            target: {
                "accuracy": fmean(accuracy[target] for accuracy in through),
                "noiseless": mean([accuracy and accuracy[target] for accuracy in free]),
                "values": [accuracy[target] for accuracy in through],
            }
            for target in through[0]
        }
        if len(through[0]) > 1 and name not in members[0].outputs.sides:
            purities[name] = {
                "through": asdict(purity(name, mean(through))),
                "noiseless": None if None in free else asdict(purity(name, mean(free))),
            }
    return {"reads": reads, "purity": purities}


def _accuracy(members: Sequence[AgentOutputs], context: ProbeContext) -> dict[str, Any]:
    report = context.ranges.report
    label = torch.from_numpy(context.label[report])
    reported = [outputs.outputs.map(lambda value: value[report]) for outputs in members]
    return dict(mean([asdict(ablation(outputs, label)) for outputs in reported]))


def _slices(
    members: Sequence[AgentOutputs], context: ProbeContext, *, noiseless: bool
) -> dict[str, Any]:
    """Return bits and predictability of the kinds, and dependence inside each modality."""
    return {
        "bits": _bits(members, context, noiseless=noiseless),
        "predictability": mean(
            [_predictability(outputs, context, noiseless=noiseless) for outputs in members]
        ),
        "dependence": mean(
            [_dependence(outputs, context, noiseless=noiseless) for outputs in members]
        ),
    }


def _bits(
    members: Sequence[AgentOutputs], context: ProbeContext, *, noiseless: bool
) -> dict[str, Any]:
    """Return kind → pair → decomposition about the label."""

    def stored(outputs: AgentOutputs, name: str) -> str:
        """Name the noiseless representation where it is asked for and there is one."""
        free = outputs.stored_name(name, noiseless=True)
        is_there = noiseless and free in context.results.scores
        return free if is_there else outputs.stored_name(name)

    bits: dict[str, Any] = {}
    for kind in KINDS:
        for pair in pairs(members[0].agent.modalities):
            first, second = slice_names(kind, pair)
            both = f"{kind}.{','.join(pair)}"
            if both in members[0].representations():
                decompositions = [
                    context.decompose(
                        (stored(outputs, first), stored(outputs, second), stored(outputs, both)),
                        pair,
                    )
                    for outputs in members
                ]
                bits.setdefault(kind, {})[",".join(pair)] = mean_decomposition(decompositions)
    return bits


def _predictability(
    outputs: AgentOutputs, context: ProbeContext, *, noiseless: bool
) -> dict[str, Any]:
    """Return kind → ``a>b`` → R² of predicting the second modality's slice from the first's."""
    values = outputs.values(noiseless=noiseless)
    asked = {
        (kind, f"{pair[i]}>{pair[1 - i]}"): (values[names[i]], values[names[1 - i]])
        for kind in KINDS
        for pair in pairs(outputs.agent.modalities)
        for names in [slice_names(kind, pair)]
        if names[0] in values and names[1] in values
        for i in (0, 1)
    }
    if not asked:
        return {}
    measured = _predict({" ".join(name): slices for name, slices in asked.items()}, context)
    result: dict[str, Any] = {}
    for kind, direction in asked:
        result.setdefault(kind, {})[direction] = measured[f"{kind} {direction}"]
    return result


def _predict(
    asked: Mapping[str, tuple[Array, Array]], context: ProbeContext
) -> dict[str, dict[str, float]]:
    measured = predictability(
        asked, context.label, context.ranges, steps=context.steps, seed=context.seed
    )
    return {name: asdict(value) for name, value in measured.items()}


def _dependence(outputs: AgentOutputs, context: ProbeContext, *, noiseless: bool) -> dict[str, Any]:
    """Return ``redundant.a unique.a`` → alignment, for every two slices that one modality owns."""
    values = outputs.values(noiseless=noiseless)
    report = context.ranges.report
    result = {}
    for modality in outputs.agent.modalities:
        names = [name for name in values if name.rpartition(".")[2] == modality]
        for first, second in pairs(names):
            measured = dependence(
                values[first][report],
                values[second][report],
                context.label[report],
                seed=context.seed,
            )
            result[f"{first} {second}"] = asdict(measured)
    return result


def _cross_agent(pair: CrossAgentPair, context: ProbeContext) -> dict[str, Any]:
    """Return bits and predictability of each kind, and what both slices together tell."""
    a, b = pair.modalities
    kinds: dict[str, Any] = {}
    for kind in pair.slices():
        both = pair.stored_name(kind)
        first, second = slice_names(kind, pair.modalities)
        stored = (pair.first.stored_name(first), pair.second.stored_name(second), both)
        kinds[kind] = {
            "reads": dict(context.accuracy(both)),
            "bits": context.decompose(stored, (a, b)),
            "predictability": _cross_predictability(pair, kind, context, noiseless=False),
            "noiseless": _cross_predictability(pair, kind, context, noiseless=True)
            if pair.first.is_noisy
            else None,
        }
    names = [pair.first.agent.name, pair.second.agent.name]
    return {"agents": names, "modalities": [a, b], "kinds": kinds}


def _cross_predictability(
    pair: CrossAgentPair, kind: str, context: ProbeContext, *, noiseless: bool
) -> dict[str, Any]:
    first, second = pair.slices(noiseless=noiseless)[kind]
    a, b = pair.modalities
    return _predict({f"{a}>{b}": (first, second), f"{b}>{a}": (second, first)}, context)


def mean(values: Sequence[Any]) -> Any:
    """Return the mean of numbers, or of the entries that all dictionaries have.

    None where one of the numbers is None.
    """
    if isinstance(values[0], Mapping):
        shared = [name for name in values[0] if all(name in value for value in values)]
        return {name: mean([value[name] for value in values]) for name in shared}
    return None if None in values else fmean(values)


def mean_decomposition(decompositions: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the mean bits of decompositions, and every warning of theirs, once."""
    warnings = [text for one in decompositions for text in one["warnings"]]
    return {
        "bits": mean([one["bits"] for one in decompositions]),
        "values": [one["bits"] for one in decompositions],
        "ci95": [one["ci95"] for one in decompositions],
        "warnings": list(dict.fromkeys(warnings)),
    }
