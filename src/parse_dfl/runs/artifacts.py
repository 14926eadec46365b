"""Write what a finished run keeps of its agents: a file each, and slices for the pictures."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

from parse_dfl.agents import AgentSpec
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.data.splits import reach
from parse_dfl.engine.agent_io import TrainedAgent, agent_file, trained_agent
from parse_dfl.engine.agent_stack import AgentStack
from parse_dfl.io import cannot_write, write_atomically
from parse_dfl.records import SLICES
from parse_dfl.runs.setup import Trial

SLICE_SAMPLES = 500
"""Samples of the evaluated part whose slices are kept, per agent group."""


def save_agents(trial: Trial, seed: int, folder: Path) -> None:
    """Write every agent of one seed to ``folder/NAME.safetensors``.

    The first rank writes, those of other ranks too.

    Raises:
        OutputError: the folder cannot be written to.
    """
    ranks, simulator = trial.ranks, trial.simulator
    if ranks.is_main:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(folder, error) from error
    for stack, row in _rows(trial, seed):
        content = agent_file(
            stack,
            row,
            method=simulator.trainer.method.name,
            network_spec=simulator.trainer.network_spec,
            label_names=simulator.trainer.data.source.label_names,
        )
        if ranks.is_main:
            write_atomically(_agent_path(folder, stack.agents[row]), content)
        else:
            ranks.send(content, to=0)
    if ranks.is_main:
        for agent in simulator.backend.agents:
            home = simulator.backend.homes.get((agent.seed, agent.name), 0)
            if agent.seed == seed and home != ranks.rank:
                write_atomically(_agent_path(folder, agent), ranks.receive(home))


def _agent_path(folder: Path, agent: AgentSpec) -> Path:
    return folder / f"{agent.name}.safetensors"


def save_slices(trial: Trial, seed: int, folder: Path) -> None:
    """Write ``slices.npz`` of one seed of a trial; see :func:`write_slices`.

    Raises:
        OutputError: the folder cannot be written to.
    """
    ranks, simulator = trial.ranks, trial.simulator
    first: dict[str, AgentSpec] = {}
    for agent in simulator.backend.agents:
        if agent.seed == seed:
            first.setdefault(agent.group, agent)
    source, samples = simulator.trainer.data.source, trial.evaluation_samples
    names = source.label_names
    arrays: dict[str, NDArray[np.float32]] = {}
    for stack, row in _rows(trial, seed):
        if first[stack.agents[row].group] == stack.agents[row]:
            alone = trained_agent(
                stack, row, simulator.trainer.method, simulator.trainer.network_spec, names
            )
            arrays |= slices_of(alone, source, samples)
    if not ranks.is_main:
        ranks.send(save(arrays), to=0)
        return
    for rank in range(1, ranks.size):
        arrays |= load(bytes(ranks.receive(rank)))
    by_group = {
        name: value
        for group in first
        for name, value in arrays.items()
        if name.startswith(f"{group}/")
    }
    _write(by_group, source, samples, folder)


def write_slices(
    agents: Iterable[TrainedAgent],
    source: MultimodalData,
    samples: NDArray[np.int64],
    folder: Path,
) -> None:
    """Write ``slices.npz``: what the first agent of each group makes of the same samples.

    Arrays are named ``GROUP/SLICE``, shape=(samples, width); ``label`` are the classes,
    ``sample`` the positions in the data set, and windows at most ``reach`` positions apart share
    time steps (0: none do), so that a reader can tell neighbours from copies.

    Raises:
        OutputError: the folder cannot be written to.
    """
    arrays: dict[str, NDArray[np.float32]] = {}
    seen: set[str] = set()
    for agent in agents:
        if agent.spec.group not in seen:
            seen.add(agent.spec.group)
            arrays |= slices_of(agent, source, samples)
    _write(arrays, source, samples, folder)


def slices_of(
    agent: TrainedAgent, source: MultimodalData, samples: NDArray[np.int64]
) -> dict[str, NDArray[np.float32]]:
    """Return what one agent makes of the samples that slices are kept of, by ``GROUP/SLICE``."""
    kept = _kept(samples)
    inputs = {name: source.modalities[name][kept] for name in agent.spec.modalities}
    return {
        f"{agent.spec.group}/{name}": values.numpy().astype(np.float32)
        for name, values in agent.outputs(inputs, laid_out=True).slices.items()
    }


def _kept(samples: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.sort(np.random.default_rng(0).permutation(samples)[:SLICE_SAMPLES])


def _write(
    arrays: Mapping[str, NDArray[np.float32]],
    source: MultimodalData,
    samples: NDArray[np.int64],
    folder: Path,
) -> None:
    buffer = io.BytesIO()
    kept = _kept(samples)
    np.savez_compressed(
        buffer,
        label=source.label[kept],
        sample=kept,
        reach=np.int64(reach(source)),
        **arrays,  # type: ignore[arg-type]
    )
    write_atomically(folder / SLICES, buffer.getvalue())


def _rows(trial: Trial, seed: int) -> list[tuple[AgentStack, int]]:
    return [
        (stack, row)
        for stack in trial.simulator.layout.stacks
        for row, agent in enumerate(stack.agents)
        if agent.seed == seed
    ]
