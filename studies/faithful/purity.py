"""Which label bits the slices hold, by the audit's probes, on synthetic data of known bits."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from parse_dfl import load_agent
from parse_dfl.analysis.probing.agent_outputs import AgentOutputs
from parse_dfl.analysis.probing.context import choose_samples
from parse_dfl.analysis.probing.probes import is_label_bit, purity, read
from parse_dfl.config import DataConfig, RunConfig, TrainingConfig
from parse_dfl.methods.registry import build_method
from parse_dfl.runs.compare import compare
from parse_dfl.runs.shared_setup import Overrides, SharedSetup, load_data
from studies.provenance import provenance

SEEDS = (0, 1, 2, 3, 4)
GROUPS = ("a", "b", "a+b")
READ = ("redundant.a", "redundant.b", "unique.a", "unique.b", "synergistic.a,b")
PROBE_STEPS = 400


def configuration(method: str, rounds: int, options: dict[str, float], where: str) -> RunConfig:
    """Configure 5 + 5 + 5 agents on rings with 400 samples of four label bits each."""
    return RunConfig(
        agents="a=5,b=5,a+b=5",
        method=method,
        method_options=dict(options),
        data=DataConfig(
            data="synthetic:noise=0.3,samples=12000", samples_per_agent=400, evaluate_on=where
        ),
        training=TrainingConfig(rounds=rounds, local_steps=8),
        eval_every=rounds,
    )


def measure(
    method: str,
    rounds: int,
    *,
    options: dict[str, float] | None = None,
    seeds: tuple[int, ...] = SEEDS,
    where: str = "test",
) -> dict[str, Any]:
    """Train, and read one agent of each group and seed."""
    config = configuration(method, rounds, options or {}, where)
    data = load_data(config)
    with tempfile.TemporaryDirectory() as folder:
        done = compare(config, [method], list(seeds), out=Path(folder) / "run")
        told = [_read(config, Path(folder) / "run" / method, data, seed) for seed in seeds]
    found = done["methods"][method]
    groups = {name: entry["accuracy"]["mean"] for name, entry in found["groups"].items()}
    return provenance() | {
        "method": method,
        "options": options or {},
        "rounds": rounds,
        "evaluated_on": where,
        "accuracy": groups,
        "seeds": dict(zip(map(str, seeds), told, strict=True)),
        "summary": summary(told),
    }


def _read(config: RunConfig, folder: Path, data: Any, seed: int) -> dict[str, Any]:
    shared = SharedSetup(config, Overrides(data=data))
    used = np.unique(np.concatenate([part.indices for part in shared.agent_data(seed)]))
    chosen = choose_samples(data, shared.split, used, evaluate_on=config.data.evaluate_on, seed=0)
    bits = {name: value for name, value in data.factors.items() if is_label_bit(name)}
    readers = dict(_representations(folder / f"seed-{seed}", config.method, data, chosen.all))
    targets = {name: value[chosen.all] for name, value in bits.items()}
    accuracy = read(readers, targets, chosen.ranges, steps=PROBE_STEPS).accuracy
    return {name: {bit: round(v, 4) for bit, v in own.items()} for name, own in accuracy.items()}


def _representations(
    folder: Path, method: str, data: Any, samples: Any
) -> Iterator[tuple[str, Any]]:
    """Yield the modalities themselves, and the slices of one agent a group: ``a+b/unique.a``."""
    raw = [data.modalities[name][samples] for name in ("a", "b")]
    yield from (("data/a", raw[0]), ("data/b", raw[1]), ("data/a,b", np.concatenate(raw, axis=1)))
    for group in GROUPS:
        agent = load_agent(
            folder / "agents" / f"{group}-0.safetensors", method=build_method(method)
        )
        outputs = AgentOutputs.of(agent, data, samples)
        for noiseless in (False, True) if outputs.is_noisy else (False,):
            told = outputs.representations(noiseless=noiseless)
            mark = "noiseless/" if noiseless else ""
            yield from ((f"{group}/{mark}{name}", told[name]) for name in READ if name in told)


def summary(told: list[dict[str, Any]]) -> dict[str, Any]:
    """Return slice → own bit (least over seeds, mean) and the worst other bit (greatest, mean)."""
    rows = {}
    for name in told[0]:
        found = [purity(name.rpartition("/")[2], one[name]) for one in told]
        own, other = ([getattr(p, part) for p in found] for part in ("own", "other"))
        if None in own or None in other:
            continue
        rows[name] = {
            "own": {"mean": round(float(np.mean(own)), 4), "least": min(own)},
            "other": {"mean": round(float(np.mean(other)), 4), "greatest": max(other)},
        }
    return rows
