"""What a finished run keeps of its agents: a file each, and slices for the pictures."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from parse_dfl.data.dataset import MultimodalData
from parse_dfl.experiments.trial import Trial
from parse_dfl.files import cannot_write, write_atomically
from parse_dfl.training.agent_file import TrainedAgent, save_agent, trained_agent
from parse_dfl.training.cohort import Cohort

SLICE_SAMPLES = 500
"""Samples of the evaluated part whose slices are kept, per agent group (contract)."""


def save_agents(trial: Trial, seed: int, folder: Path) -> None:
    """Write every agent of one seed to ``folder/NAME.safetensors``.

    Raises:
        OutputError: the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    simulator = trial.simulator
    for cohort, row in _rows(trial, seed):
        save_agent(
            folder / f"{cohort.agents[row].name}.safetensors",
            cohort,
            row,
            method=simulator.method.name,
            blueprint=simulator.blueprint,
            label_names=simulator.data.source.label_names,
        )


def save_slices(trial: Trial, seed: int, folder: Path) -> None:
    """Write ``slices.npz`` of one seed of a trial; see :func:`write_slices`.

    Raises:
        OutputError: the folder cannot be written to.
    """
    simulator = trial.simulator
    names = simulator.data.source.label_names
    agents = (
        trained_agent(cohort, row, simulator.method, simulator.blueprint, names)
        for cohort, row in _rows(trial, seed)
    )
    write_slices(agents, simulator.data.source, trial.evaluation_samples, folder)


def write_slices(
    agents: Iterable[TrainedAgent],
    source: MultimodalData,
    samples: NDArray[np.int64],
    folder: Path,
) -> None:
    """Write ``slices.npz``: what the first agent of each group makes of the same samples.

    Arrays are named ``GROUP/SLICE``, shape=(samples, width); ``label`` are the classes.

    Raises:
        OutputError: the folder cannot be written to.
    """
    some = np.sort(np.random.default_rng(0).permutation(samples)[:SLICE_SAMPLES])
    arrays: dict[str, NDArray[np.generic]] = {"label": source.label[some]}
    for agent in agents:
        group = agent.spec.group
        if any(name.startswith(f"{group}/") for name in arrays):
            continue
        inputs = {name: source.modalities[name][some] for name in agent.spec.modalities}
        for name, values in agent.outputs(inputs).slices.items():
            arrays[f"{group}/{name}"] = values.numpy().astype(np.float32)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    write_atomically(folder / "slices.npz", buffer.getvalue())


def _rows(trial: Trial, seed: int) -> list[tuple[Cohort, int]]:
    return [
        (cohort, row)
        for cohort in trial.simulator.layout.cohorts
        for row, agent in enumerate(cohort.agents)
        if agent.seed == seed
    ]
