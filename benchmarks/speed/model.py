"""``python -m benchmarks.speed.model``: the cost model of docs/scaling.md, fitted and tested.

Fitted to every series of the newest growth result but its largest member, which is predicted.
Coefficients are found by least squares of relative errors; none is negative.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from benchmarks.speed.growth import SERIES, Cost
from benchmarks.speed.jobs import TEST_SAMPLES, Job
from benchmarks.speed.roofline import BYTES_PER_NUMBER, PASSES_PER_STEP
from benchmarks.speed.tables import cost, kept

MATRICES = {"sgd": 3, "adam": 4}
"""Matrices of a row's width that an engine holds: parameters, gradients, and one or two moments."""
CACHE_BYTES = 32 << 20
"""Parameters of more bytes are mixed from memory: about a server's last cache."""


@dataclass(frozen=True)
class Quantity:
    """Something that the model predicts: its terms, by name, for a job whose cost was measured."""

    name: str
    value: Callable[[Cost], float]
    terms: Callable[[Job, Cost], dict[str, float]]


def degree(job: Job) -> int:
    """Neighbours of an agent."""
    return 2 if job.topology == "ring" else int(job.topology.partition(":")[2])


def _training(job: Job, own: Cost) -> dict[str, float]:
    batch = job.training.batch_size
    passes = PASSES_PER_STEP[job.training.optimizer] * job.steps
    return {
        "s an operation": own.operations or 6 * own.parameters * job.steps * batch,
        "s a byte": passes * BYTES_PER_NUMBER * own.parameters,
        "s an agent, step and modality": job.agents * job.steps * len(job.names),
        "s a round": 1.0,
    }


def _mixing(job: Job, own: Cost) -> dict[str, float]:
    matrix = BYTES_PER_NUMBER * own.parameters
    return {
        "s a byte": (degree(job) + 2) * matrix,
        "s a byte beyond the cache": (degree(job) + 2) * max(0, matrix - CACHE_BYTES),
        "s an agent": job.agents,
        "s a round": 1.0,
    }


def _evaluation(job: Job, own: Cost) -> dict[str, float]:
    batch = job.steps * job.training.batch_size
    each = own.operations / 3 / batch if own.operations else 2 * own.parameters
    return {
        "s an operation": TEST_SAMPLES * each,
        "s an agent, sample and modality": job.agents * TEST_SAMPLES * len(job.names),
        "s an evaluation": 1.0,
    }


def _memory(job: Job, own: Cost) -> dict[str, float]:
    sample = job.input_bytes(1) / (job.steps * job.training.batch_size)
    owned = sum(len(names) * count for names, count in job.mix.counts)
    matrices = MATRICES[job.training.optimizer] * BYTES_PER_NUMBER * own.parameters
    return {
        "of matrices and samples": matrices + owned * job.samples_per_agent * sample,
        "B": 1.0,
    }


def _payload(job: Job, own: Cost) -> dict[str, float]:
    return {"of a row to each neighbour": degree(job) * BYTES_PER_NUMBER * own.parameters}


QUANTITIES = (
    Quantity("training", lambda own: own.train, _training),
    Quantity("mixing", lambda own: own.mix, _mixing),
    Quantity("evaluation", lambda own: own.evaluation, _evaluation),
    Quantity("memory", lambda own: own.own_bytes, _memory),
    Quantity("payload", lambda own: own.payload_bytes, _payload),
)
Measured = Sequence[tuple[str, Job, Cost]]


def fit(quantity: Quantity, measured: Measured) -> NDArray[np.float64]:
    """The coefficients, none negative, with the least squared relative errors."""
    terms = np.array([list(quantity.terms(job, own).values()) for _, job, own in measured])
    values = np.array([quantity.value(own) for _, _, own in measured])
    coefficients, _ = nnls(terms / values[:, None], np.ones(len(values)))
    return np.asarray(coefficients, dtype=np.float64)


def error(quantity: Quantity, coefficients: NDArray[np.float64], job: Job, own: Cost) -> float:
    """Predicted over measured, less one."""
    predicted = coefficients @ np.array(list(quantity.terms(job, own).values()))
    return float(predicted / quantity.value(own) - 1)


def newest() -> tuple[Measured, Measured]:
    """The jobs to fit, and those to predict: of each series the largest."""
    rows = [result["growth"] for result in kept() if result.get("growth")][-1]
    fitted, predicted = [], []
    for row in rows:
        jobs = SERIES[row["series"]]
        size = row["size"]
        each = (f"{row['series']}: {size}", jobs[size], cost(row))
        (predicted if size == max(jobs) else fitted).append(each)
    return fitted, predicted


def main() -> None:
    """Print the coefficients, and how far off every prediction was."""
    fitted, predicted = newest()
    found = {quantity.name: fit(quantity, fitted) for quantity in QUANTITIES}
    for quantity in QUANTITIES:
        names = quantity.terms(*fitted[0][1:])
        told = zip(found[quantity.name], names, strict=True)
        print(quantity.name, "=", ", ".join(f"{value:.3g} {name}" for value, name in told))
    print("\n| | " + " | ".join(quantity.name for quantity in QUANTITIES) + " |")
    print("| --- |" + " --- |" * len(QUANTITIES))
    for kind, rows in (("fitted", fitted), ("predicted", predicted)):
        for name, job, own in rows:
            errors = [error(q, found[q.name], job, own) for q in QUANTITIES]
            cells = " | ".join(f"{round(100 * value):+d} %" for value in errors)
            print(f"| {kind} {name} | {cells} |")


if __name__ == "__main__":
    main()
