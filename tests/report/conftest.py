"""Run records as runs write them, with invented but plausible numbers."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

from parse_dfl.io import to_plain
from parse_dfl.records import (
    COMPARISON,
    SLICES,
    SUMMARY,
    AgentResult,
    ComparisonRecord,
    GroupResult,
    GroupStatistics,
    LinkBytes,
    MethodRecord,
    Overlay,
    Summary,
)
from parse_dfl.report.collection import Record, read_folder
from parse_dfl.report.statistics import seed_values
from parse_dfl.runs.reporting import ROLES, write_report

mpl.use("Agg")

GROUPS = ("acc", "gyro", "acc+gyro")
# method -> mean accuracy per group, payload per link in bytes
METHODS = {
    "parse": ((0.80, 0.76, 0.88), 61_000),
    "harmony": ((0.78, 0.75, 0.87), 74_000),
    "dsgd-hybrid": ((0.74, 0.72, 0.83), 88_000),
    "dsgd-modality": ((0.62, 0.57, 0.70), 52_000),
    "dsgd-task": ((0.71, 0.69, 0.80), 95_000),
    "gradient-surgery": ((0.75, 0.71, 0.82), 88_000),
    "sheaf-dmfl": ((0.70, 0.66, 0.78), 60_000),
    "parse@dsgd-hybrid": ((0.77, 0.74, 0.85), 71_000),
    "local": ((0.55, 0.50, 0.63), 0),
    "oracle": ((0.82, 0.79, 0.91), 0),
}
ROUNDS = range(10, 101, 10)
CONFIG = {"agents": "acc=5,gyro=5,acc+gyro=5", "overlay": {"topology": "ring"}}


def read(folder: Path) -> Record:
    """What a folder holds, PARSE in question."""
    return read_folder(folder, ROLES)


def write_run(
    folder: Path, *, method: str = "parse", seed: int = 0, data: str = "motionsense"
) -> Path:
    """A finished run with metrics, overlays, agents and slices."""
    folder.mkdir(parents=True)
    write_metrics(folder, accuracies(method, seed), seed)
    (folder / SUMMARY).write_text(json.dumps(to_plain(summary(method, seed, data))))
    if method == "parse":
        write_slices(folder)
    return folder


def summary(method: str, seed: int, data: str) -> Summary:
    finals, payload = accuracies(method, seed), METHODS[method][1]
    return Summary(
        method=method,
        data=data,
        seed=seed,
        rounds=100,
        groups={
            group: GroupResult(
                agents=5, parameters=21_000 + 9_000 * group.count("+"), **scores(final)
            )
            for group, final in finals.items()
        },
        mean_accuracy=float(np.mean(list(finals.values()))),
        diverged=None,
        payload_bytes_per_round=30 * payload,
        payload_bytes_per_link=LinkBytes(mean=payload, max=payload),
        wall_seconds=12.5,
        seconds_per_round={"train": 0.08, "mix": 0.01, "evaluate": 0.03},
        seeds_side_by_side=1,
        ranks=1,
        threads=1,
        peak_memory_bytes=412_000_000,
        lr=0.01,
        proposed_split=None,
        evaluated_on="test",
        evaluated_samples=500,
        agents=agents(finals),
        overlays=overlays(),
        config={**CONFIG, "data": {"data": data}, "method": method, "seed": seed},
    )


def scores(accuracy: float) -> dict[str, float]:
    return {
        "accuracy": accuracy,
        "macro_f1": accuracy - 0.01,
        "local_accuracy": accuracy + 0.02,
        "loss": 1 - accuracy,
    }


def write_comparison(
    folder: Path,
    *,
    methods: tuple[str, ...] = tuple(METHODS),
    seeds: int = 3,
    data: str = "motionsense",
) -> Path:
    """A comparison and its runs."""
    for method in methods:
        for seed in range(seeds):
            write_run(folder / method / f"seed-{seed}", method=method, seed=seed, data=data)
    record = ComparisonRecord(
        data=data,
        config={**CONFIG, "data": {"data": data}},
        seeds=tuple(range(seeds)),
        methods={method: method_record(method, seeds) for method in methods},
    )
    (folder / COMPARISON).write_text(json.dumps(to_plain(record)))
    return folder


def method_record(method: str, seeds: int) -> MethodRecord:
    by_seed = [accuracies(method, seed) for seed in range(seeds)]
    payload = METHODS[method][1]
    return MethodRecord(
        groups={
            group: GroupStatistics(
                **dict.fromkeys(
                    ("accuracy", "macro_f1", "local_accuracy"),
                    seed_values([finals[group] for finals in by_seed]),
                )
            )
            for group in GROUPS
        },
        mean_accuracy=seed_values([float(np.mean(list(f.values()))) for f in by_seed]),
        payload_bytes_per_link=LinkBytes(mean=payload, max=payload),
        seconds=12.5,
        lr=0.01,
    )


def accuracies(method: str, seed: int) -> dict[str, float]:
    """The final accuracy per group: the method's level, moved by the seed and a little alone."""
    shared = np.random.default_rng(seed).normal(0, 0.008, len(GROUPS))
    own = np.random.default_rng([seed, len(method)]).normal(0, 0.006, len(GROUPS))
    return dict(zip(GROUPS, (np.array(METHODS[method][0]) + shared + own).tolist(), strict=True))


def write_metrics(folder: Path, finals: dict[str, float], seed: int) -> None:
    noise = np.random.default_rng(seed + 100)
    lines = [
        {
            "round": number,
            "group": group,
            "seed": seed,
            "accuracy": final * (1 - np.exp(-number / 22)) + noise.normal(0, 0.006),
            "macro_f1": final,
            "local_accuracy": final,
            "loss": None if number == 10 else 1 - final,
        }
        for number in ROUNDS
        for group, final in finals.items()
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def names_of(group: str) -> list[str]:
    return [f"{group}-{index}" for index in range(5)]


def agents(finals: dict[str, float]) -> tuple[AgentResult, ...]:
    return tuple(
        AgentResult(name=name, group=group, samples=64, **scores(final))
        for group, final in finals.items()
        for name in names_of(group)
    )


def overlays() -> tuple[Overlay, ...]:
    """Rings over the owners of each branch, in an order of its own."""
    acc, gyro, both = (names_of(group) for group in GROUPS)
    owners = {
        "acc/backbone": acc + both,
        "gyro/backbone": gyro + both,
        "acc/unique": acc + both,
        "gyro/unique": gyro + both,
        "any/redundant": acc + gyro + both,
        "acc+gyro/synergy": both,
    }
    drawn = []
    for seed, (label, members) in enumerate(owners.items()):
        order = np.random.default_rng(seed).permutation(members).tolist()
        edges = tuple(zip(order, order[1:] + order[:1], strict=True))
        drawn.append(Overlay(label=label, members=tuple(members), edges=edges))
    return tuple(drawn)


def write_slices(folder: Path, samples: int = 90) -> None:
    """Redundant slices alike for both sensors, unique ones apart."""
    draw = np.random.default_rng(1)
    label = draw.integers(0, 6, samples)
    by_class = draw.normal(0, 3, (6, 16))[label]
    own = {"acc": draw.normal(0, 4, 16), "gyro": draw.normal(0, 4, 16)}
    arrays = {}
    for group in GROUPS:
        for modality in group.split("+"):
            noise = draw.normal(0, 1.5, (2, samples, 16))
            arrays[f"{group}/redundant.{modality}"] = by_class + noise[0]
            arrays[f"{group}/unique.{modality}"] = own[modality] + 0.3 * by_class + noise[1]
    arrays["acc+gyro/synergistic.acc+gyro"] = 0.5 * by_class + draw.normal(0, 1, (samples, 16))
    np.savez(folder / SLICES, label=label, sample=np.arange(samples), reach=0, **arrays)


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """A finished PARSE run."""
    return write_run(tmp_path / "run")


@pytest.fixture
def unfinished_folder(tmp_path: Path) -> Path:
    """A run that was killed while it wrote a line of its metrics."""
    folder = write_run(tmp_path / "stopped")
    (folder / "summary.json").unlink()
    (folder / "slices.npz").unlink()
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"round": 110, "gro')
    return folder


@pytest.fixture(scope="session")
def shared_comparison(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison of every method over three seeds; tests do not change it."""
    return write_comparison(tmp_path_factory.mktemp("comparisons") / "motionsense")


@pytest.fixture(scope="session")
def shared_page(shared_comparison: Path) -> Path:
    """The page of that comparison, gradient conflict included, with its figures beside it."""
    write_conflicts(shared_comparison / "parse" / "seed-0")
    return write_report(shared_comparison)


@pytest.fixture
def collection_folder(tmp_path: Path) -> Path:
    """Three comparisons, one of which lacks a method."""
    few = ("parse", "harmony", "local", "oracle")
    write_comparison(tmp_path / "all" / "digits", methods=few, seeds=2, data="digits")
    write_comparison(tmp_path / "all" / "leaves", methods=few, seeds=2, data="leaves100")
    write_comparison(tmp_path / "all" / "mfeat", methods=few[:2], seeds=2, data="mfeat")
    return tmp_path / "all"


def write_conflicts(
    folder: Path,
    *,
    share: float = 0.4,
    cosine: float = 0.1,
    pairs: tuple[str, ...] = ("uni-multi", "equal"),
) -> None:
    """``conflict.jsonl`` of a run: the same numbers at two rounds, on one branch and on all."""
    lines = [
        {
            "round": number,
            "seed": 0,
            "branch": branch,
            "samples": samples,
            "pairs": kind,
            "count": 25,
            "negative_share": share,
            "mean_cosine": cosine,
        }
        for number in (10, 20)
        for branch in ("acc/backbone", "all")
        for samples in ("own", "held-out")
        for kind in pairs
    ]
    (folder / "conflict.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
