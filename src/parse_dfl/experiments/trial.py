"""From a configuration to a simulator: data, split, shards, method and network."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from parse_dfl.agents import AgentMix, AgentSpec, parse_mix
from parse_dfl.data.catalog import load
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.data.partition import partition
from parse_dfl.data.splits import Split, split
from parse_dfl.errors import ConfigError
from parse_dfl.events import parse_event
from parse_dfl.experiments.config import RunConfig
from parse_dfl.experiments.mix import mix_for
from parse_dfl.experiments.own import NOTHING_OWN, Own
from parse_dfl.liars import Liar, check_liars, parse_liar
from parse_dfl.methods.registry import build_method
from parse_dfl.networks.blueprint import Blueprint
from parse_dfl.networks.encoders import SampleShape
from parse_dfl.overlays.topologies import parse_topology
from parse_dfl.simulation.simulator import Simulator
from parse_dfl.training.batches import local_steps
from parse_dfl.training.churn import check_events
from parse_dfl.training.shards import Shard, TensorData


@dataclass(frozen=True)
class Trial:
    """One method on one federation, or on several of different seeds side by side.

    ``weights`` says how many agents an agent of the simulator stands for: one, but for the
    oracle's merged agents.
    """

    config: RunConfig
    seeds: tuple[int, ...]
    simulator: Simulator
    split: Split
    mix: AgentMix
    weights: Mapping[AgentSpec, int]

    @property
    def evaluation_samples(self) -> NDArray[np.int64]:
        """The samples that final scores are measured on."""
        validates = self.config.data.evaluate_on == "validation"
        return self.split.validation if validates else self.split.test


def build_trial(config: RunConfig, seeds: Sequence[int], own: Own = NOTHING_OWN) -> Trial:
    """Load, split and deal the data, and set the simulator up.

    Raises:
        ParseDflError: anything in the configuration or the data cannot be used.
    """
    data = own.data or load_data(config)
    mix = mix_for(config.agents, data.modalities)
    parts = split(data, config.data.test)
    method = own.method or build_method(config.method, options_of(config))
    shards = [shard for seed in seeds for shard in deal(config, data, parts, mix, seed)]
    topology = parse_topology(own.topology if own.topology is not None else config.overlay.topology)
    topology.check([agent.name for agent in mix.agents()])
    events = [parse_event(text) for text in config.events]
    check_events(events, mix.agents(), mix.modalities, config.training.rounds)
    check_liars(liars_of(config), [agent.name for agent in mix.agents()])
    weights = {shard.agent: 1 for shard in shards}
    if method.centralised:
        shards, weights = merge_shards(shards)
    dtype = torch.float64 if config.training.dtype == "float64" else torch.float32
    simulator = Simulator(
        TensorData(data, torch_device(config.device), dtype),
        shards,
        method,
        _blueprint(config, data, own),
        training=config.training,
        overlay=config.overlay,
        topology=topology,
        events=events,
        compiled=config.compile,
    )
    return Trial(config, tuple(seeds), simulator, parts, mix, weights)


def groups_of_equal_work(
    config: RunConfig, seeds: Sequence[int], own: Own = NOTHING_OWN
) -> list[list[int]]:
    """Seeds that can run side by side: their agents make equally many steps a round."""
    data = own.data or load_data(config)
    mix, parts = mix_for(config.agents, data.modalities), split(data, config.data.test)
    groups: dict[int, list[int]] = {}
    for seed in seeds:
        sizes = [len(shard.indices) for shard in deal(config, data, parts, mix, seed)]
        training = config.training
        steps = local_steps(sizes, training.batch_size, training.local_epochs, training.local_steps)
        groups.setdefault(steps, []).append(seed)
    return list(groups.values())


def load_data(config: RunConfig) -> MultimodalData:
    """The data set that the configuration names, with the modalities that its agents own.

    Raises:
        DataError, ConfigError: as :func:`parse_dfl.data.catalog.load`.
    """
    source = config.data
    return load(
        source.data,
        data_dir=Path(source.data_dir) if source.data_dir else None,
        kinds=source.kind,
        subject_key=source.subject_key,
        modalities=parse_mix(config.agents).modalities if config.agents else (),
    )


def deal(
    config: RunConfig, data: MultimodalData, parts: Split, mix: AgentMix, seed: int
) -> list[Shard]:
    """The training samples of every agent of one seed."""
    agents = mix.agents(seed)
    dealt = partition(
        data,
        parts.train,
        agents,
        config.data.partition,
        samples_per_agent=config.data.samples_per_agent,
        seed=seed,
    )
    return [Shard(agent, indices) for agent, indices in zip(agents, dealt, strict=True)]


def _blueprint(config: RunConfig, data: MultimodalData, own: Own) -> Blueprint:
    samples = {
        name: SampleShape(name, data.kinds[name], data.shape(name)) for name in data.modalities
    }
    return Blueprint(
        samples=samples, classes=data.classes, config=config.network, own_encoders=own.encoders
    )


def merge_shards(shards: Sequence[Shard]) -> tuple[list[Shard], dict[AgentSpec, int]]:
    """One agent per seed and modality set with the union of the samples, and how many it is."""
    groups: dict[AgentSpec, list[Shard]] = {}
    for shard in shards:
        merged = replace(shard.agent, name=f"{shard.agent.group}-all")
        groups.setdefault(merged, []).append(shard)
    union = [
        Shard(agent, np.unique(np.concatenate([part.indices for part in parts])))
        for agent, parts in groups.items()
    ]
    return union, {agent: len(parts) for agent, parts in groups.items()}


def options_of(config: RunConfig) -> dict[str, object]:
    """The options meant for the configuration's method: ``tau`` or ``harmony.tau``, not
    ``parse.head_weight`` in a run of harmony."""
    chosen: dict[str, object] = {}
    for key, value in config.method_options.items():
        method, dot, name = key.rpartition(".")
        if not dot or method == config.method:
            chosen[name] = value
    return chosen


def liars_of(config: RunConfig) -> list[Liar]:
    """The agents that the configuration lets lie."""
    return [parse_liar(text) for text in config.overlay.liars]


def torch_device(name: str) -> torch.device:
    """The device, made deterministic where it is not by itself.

    Raises:
        ConfigError: there is no CUDA device.
    """
    if name.startswith("cuda"):
        if not torch.cuda.is_available():
            raise ConfigError(f"device {name!r} is not available on this machine; use --device cpu")
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else cuBLAS refuses
        torch.use_deterministic_algorithms(True)
    return torch.device(name)
