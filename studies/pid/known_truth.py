"""BATCH and LSMI on 4,000 samples whose decomposition the exact estimator gives.

    python -m studies.pid.known_truth

The sets are bits in noise behind non-linear mixtures, whose truth is that of the noisy bits
before mixing, and scalars; both are binned finely for the exact estimator.  BROJA's atoms of
independent parts add up, so that of several label bits each is solved alone.  LSMI defines
redundancy differently; its distance from this truth is not an error.  Writes
``studies/pid/results/DATE-known-truth.json``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import norm

from parse_dfl.analysis.pid import estimate
from parse_dfl.analysis.pid.discrete import solve
from parse_dfl.data.built_in import SyntheticConfig, synthetic
from studies.provenance import provenance, today, write_result

RESULTS = Path(__file__).with_name("results")
SAMPLES = 4000
BINS = 40
EDGES = np.concatenate([[-np.inf], np.linspace(-5, 5, BINS - 1), [np.inf]])

Array = NDArray[Any]
Problem = tuple[str, Array, Array, Array, Array]  # name, a, b, label, the four true atoms


def main() -> None:
    """Estimate all sets by both methods, print and write the distances."""
    torch.set_num_threads(1)
    sets = {}
    for name, a, b, label, truth in problems():
        sets[name] = {"truth": truth.round(4).tolist(), **_estimates(a, b, label, truth)}
        print(name, sets[name], flush=True)
    largest = max(each["batch"]["largest_share_of_total"] for each in sets.values())
    result = {"samples": SAMPLES, "batch_largest_share": largest, "sets": sets}
    write_result(RESULTS / f"{today()}-known-truth.json", provenance() | result)


def problems() -> Iterator[Problem]:
    """Yield the sets."""
    bits = {
        "redundant bit": {"unique": 0, "synergy": 0},
        "unique bits": {"redundant": 0, "synergy": 0},
        "synergistic bit": {"redundant": 0, "unique": 0},
        "all four, 16 classes": {},
        "all four, noise 0.6": {"noise": 0.6},
        "all four, noise 1": {"noise": 1.0},
        "redundant bit, noise 1": {"unique": 0, "synergy": 0, "noise": 1.0},
    }
    for name, options in bits.items():
        config = SyntheticConfig(samples=SAMPLES, **options)
        data = synthetic(config)
        yield name, data.modalities["a"], data.modalities["b"], data.label, truth_of(config)
    yield _gate()
    yield _scalars("scalars, three classes", (-1.5, 0, 1.5), (0, 1.5, 0), correlation=0.0)
    yield _scalars("scalars, noise in common", (-0.7, 0.7), (0, 0), correlation=0.9)


def truth_of(config: SyntheticConfig) -> Array:
    """Return the atoms of the synthetic set's label bits, by the exact estimator."""
    seen = _channel((-1, 1), config.noise)  # p(bin | bit)
    alike, blind = np.eye(2) / 2, np.full((2, 2), 1 / 4)
    xor = np.array([[[0.5, 0], [0, 0.5]], [[0, 0.5], [0.5, 0]]]) / 2
    redundant = _atoms(np.einsum("iy,jy,yz->ijz", seen, seen, alike))
    unique = _atoms(np.einsum("iy,jk,yk->ijy", seen, seen, blind))
    synergy = _atoms(np.einsum("ik,jl,kly->ijy", seen, seen, xor))
    swapped = unique[[0, 2, 1, 3]]
    return np.asarray(
        config.redundant * redundant + config.unique * (unique + swapped) + config.synergy * synergy
    )


def _gate() -> Problem:
    """Return the AND of two bits, each of which one modality sees."""
    rng = np.random.default_rng(1)
    label_free = SyntheticConfig(samples=SAMPLES, redundant=0, unique=1, synergy=0)
    data = synthetic(label_free)
    label = data.factors["unique_a"] & data.factors["unique_b"]
    seen = _channel((-1, 1), label_free.noise)
    rule = np.zeros((2, 2, 2))
    rule[0, 0, 0] = rule[0, 1, 0] = rule[1, 0, 0] = rule[1, 1, 1] = 1 / 4
    order = rng.permutation(SAMPLES)
    a, b = data.modalities["a"][order], data.modalities["b"][order]
    truth = _atoms(np.einsum("ik,jl,kly->ijy", seen, seen, rule))
    return "AND of two bits", a, b, label[order], truth


def _scalars(
    name: str, first: tuple[float, ...], second: tuple[float, ...], *, correlation: float
) -> Problem:
    """Return a scalar each, normal around its class's mean, the two noises correlated."""
    rng = np.random.default_rng(2)
    classes = len(first)
    label = rng.permutation(np.arange(SAMPLES) % classes)
    noise = rng.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]], SAMPLES)
    a, b = np.array(first)[label] + noise[:, 0], np.array(second)[label] + noise[:, 1]
    grid = np.linspace(-6, 6, 121)
    x1, x2 = np.meshgrid(grid, grid, indexing="ij")
    rest = np.sqrt(1 - correlation**2)
    density = [
        norm.pdf(x1 - m1) * norm.pdf((x2 - m2 - correlation * (x1 - m1)) / rest)
        for m1, m2 in zip(first, second, strict=True)
    ]
    joint = np.stack([each / each.sum() / classes for each in density], axis=2)
    return name, a, b, label, _atoms(joint)


def _channel(means: tuple[float, ...], spread: float) -> Array:
    """Return p(bin | class) of normal scalars, shape (bins, classes)."""
    cumulative = np.stack([norm.cdf(EDGES, mean, spread) for mean in means], axis=1)
    return np.diff(cumulative, axis=0)


def _atoms(joint: Array) -> Array:
    return np.array(solve(joint).information.atoms())


def _estimates(a: Array, b: Array, label: Array, truth: Array) -> dict[str, Any]:
    found = {}
    for method in ("batch", "lsmi"):
        start = time.perf_counter()
        estimated = estimate(a, b, label, method=method)
        bits = estimated.bits
        atoms = np.array([bits.redundant, *bits.unique.values(), bits.synergistic])
        found[method] = {
            "atoms": atoms.round(4).tolist(),
            "largest_share_of_total": float((np.abs(atoms - truth).max() / truth.sum()).round(4)),
            "warnings": list(estimated.warnings),
            "seconds": round(time.perf_counter() - start, 1),
        }
    return found


if __name__ == "__main__":
    main()
