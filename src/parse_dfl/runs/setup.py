"""From a configuration to what any engine needs: data, split, agents, method, network."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from parse_dfl.agents import AgentMix, ModalityChange
from parse_dfl.byzantine import check_attackers
from parse_dfl.config import AUTO, RunConfig
from parse_dfl.data.catalog import load
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.data.partition import partition
from parse_dfl.data.splits import Split, split
from parse_dfl.engine.agent_data import AgentData, TensorData
from parse_dfl.engine.trainer import check_events
from parse_dfl.errors import ConfigError, unknown
from parse_dfl.methods.base import Method
from parse_dfl.methods.registry import build_method
from parse_dfl.networks.encoders import EncoderBuilder, SampleShape
from parse_dfl.networks.network_spec import NetworkSpec
from parse_dfl.overlays.topologies import Topology
from parse_dfl.ranks.launch import launch
from parse_dfl.runs.auto_split import Proposal, propose_split
from parse_dfl.runs.callbacks import Listener
from parse_dfl.safe_names import as_given

if TYPE_CHECKING:
    import networkx as nx


@dataclass(frozen=True, kw_only=True)
class Own:
    """Ingredients that take the place of what the configuration names.

    ``encoders`` are builders by name: the configuration's ``network.encoders`` chooses which
    modality, or which group's modality, uses which.  A run with any of these can be resumed only
    by giving them again.
    """

    data: MultimodalData | None = None
    encoders: Mapping[str, EncoderBuilder] = field(default_factory=dict)
    topology: nx.Graph | Topology | None = None
    method: Method | None = None


NOTHING_OWN = Own()


AGENTS_PER_SET = 5


def mix_for(
    agents: AgentMix | str | None,
    modalities: Iterable[str],
    ignored: Mapping[str, str] = MappingProxyType({}),
) -> AgentMix:
    """The mix ``agents``, or with None ``a=5,b=5,a+b=5`` for data of two modalities a and b.

    ``ignored`` is what else the data hold, and why it is no modality, for messages.

    Raises:
        ConfigError: the mix is malformed, names a modality that the data lack, or is missing
            for data that do not have exactly two modalities.
    """
    names = sorted(modalities)
    if agents is None:
        return AgentMix.from_string(_default(names, ignored))
    mix = AgentMix.of(agents)
    for name in mix.modalities:
        if name not in names:
            raise unknown("modality", name, names)
    return mix


def _default(names: list[str], ignored: Mapping[str, str]) -> str:
    sets = [*names, "+".join(names)] if len(names) > 1 else names
    text = ",".join(f"{owned}={AGENTS_PER_SET}" for owned in sets)
    if len(names) != 2:
        told = "; ".join(f"{name} is ignored ({why})" for name, why in ignored.items())
        raise ConfigError(
            f"no agent mix is given, and the data have {len(names)} modalities "
            f"({', '.join(names)}); write one, such as --agents {as_given(_quoted(text))}"
            f"{f'; {told}' if told else ''}"
        )
    return text


def _quoted(text: str) -> str:
    """For a shell, where a name holds more than letters."""
    return f'"{text}"' if as_given(text) != text else text


EVALUATION_SEED = 0
"""The samples that are evaluated while training are the same for all runs on one data set."""


@dataclass(frozen=True, kw_only=True)
class RunSetup:
    """What a configuration stands for, before an engine makes something of it.

    ``proposals`` are the splits that were proposed, by seed, where they were asked for.
    """

    config: RunConfig
    data: MultimodalData
    split: Split
    mix: AgentMix
    shards: list[AgentData]
    method: Method
    topology: Topology
    events: list[ModalityChange]
    network_spec: NetworkSpec
    proposals: Mapping[int, Proposal]

    def tensors(self) -> TensorData:
        """The data on the device and with the dtype that the configuration names."""
        dtype = getattr(torch, self.config.training.dtype)
        return TensorData(self.data, torch_device(self.config.device), dtype)

    @property
    def evaluation_samples(self) -> NDArray[np.int64]:
        """The samples that final scores are measured on."""
        validates = self.config.data.evaluate_on == "validation"
        return self.split.validation if validates else self.split.test


def some_of(samples: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The at most ``count`` samples that are evaluated while training, ascending."""
    drawn = np.random.default_rng(EVALUATION_SEED).permutation(samples)
    return np.sort(drawn[:count])


def gather(config: RunConfig, seeds: Sequence[int], own: Own = NOTHING_OWN) -> RunSetup:
    """Load, split and deal the data, and look up what the configuration names.

    Raises:
        ParseDflError: anything in the configuration or the data cannot be used.
    """
    data = own.data or load_data(config)
    mix = mix_for(config.agents, data.modalities, data.ignored)
    parts = split(data, config.data.test)
    method = method_of(config, own)
    shards = [shard for seed in seeds for shard in deal(config, data, parts, mix, seed)]
    proposals = proposals_for(config, data, shards)
    topology = Topology.of(config.overlay.topology if own.topology is None else own.topology)
    topology.check([agent.name for agent in mix.agents()])
    check_events(config.events, mix.agents(), mix.modalities, config.training.rounds)
    check_attackers(config.overlay.attackers, [agent.name for agent in mix.agents()])
    return RunSetup(
        config=config,
        data=data,
        split=parts,
        mix=mix,
        shards=shards,
        method=method,
        topology=topology,
        events=list(config.events),
        network_spec=blueprint_of(config, data, own, proposals),
        proposals=proposals,
    )


def method_of(config: RunConfig, own: Own = NOTHING_OWN) -> Method:
    """The method that is trained.

    Raises:
        ConfigError: the configuration's method or one of its options is unknown.
    """
    return own.method or build_method(config.method, config.options())


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
        modalities=config.agents.modalities if config.agents else (),
    )


def tell_notes(data: MultimodalData, agents: AgentMix | None, listener: Listener) -> None:
    """Say how ``data`` were read where that was a guess, of the modalities that agents own."""
    owned = agents.modalities if agents else None
    for note in data.notes(owned):
        listener.note(f"note: {note}")


def deal(
    config: RunConfig, data: MultimodalData, parts: Split, mix: AgentMix, seed: int
) -> list[AgentData]:
    """The agents of one seed, each with its part of the training samples."""
    agents = mix.agents(seed)
    dealt = partition(
        data,
        parts.train,
        agents,
        config.data.partition,
        samples_per_agent=config.data.samples_per_agent,
        seed=seed,
    )
    return [AgentData(agent, indices) for agent, indices in zip(agents, dealt, strict=True)]


def proposals_for(
    config: RunConfig, data: MultimodalData, shards: Sequence[AgentData]
) -> dict[int, Proposal]:
    """The split for the agents of each seed, if one is asked for."""
    if config.network.split != AUTO:
        return {}
    by_seed: dict[int, list[AgentData]] = {}
    for shard in shards:
        by_seed.setdefault(shard.agent.seed, []).append(shard)
    return {seed: propose_split(data, own) for seed, own in by_seed.items()}


def blueprint_of(
    config: RunConfig,
    data: MultimodalData,
    own: Own = NOTHING_OWN,
    proposals: Mapping[int, Proposal] = MappingProxyType({}),
) -> NetworkSpec:
    """What the networks of a run on ``data`` are built from; ``proposals`` have one split."""
    samples = {
        name: SampleShape(name, data.kinds[name], data.shape(name), data.layouts.get(name))
        for name in data.modalities
    }
    network = config.network
    if proposals:
        (split,) = {proposal.split for proposal in proposals.values()}
        network = replace(network, split=split)
    return NetworkSpec(
        samples=samples, classes=data.classes, config=network, own_encoders=own.encoders
    )


def torch_device(name: str) -> torch.device:
    """The device, made deterministic where it is not by itself.

    ``cuda`` is the first one; of the processes that torchrun started on a machine, each gets the
    next.

    Raises:
        ConfigError: there is no CUDA device.
    """
    if name.startswith("cuda"):
        if not torch.cuda.is_available():
            raise ConfigError(f"device {name!r} is not available on this machine; use --device cpu")
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else cuBLAS refuses
        torch.use_deterministic_algorithms(True)
        if name == "cuda" and launch().size > 1:
            name = f"cuda:{launch().local_rank % torch.cuda.device_count()}"
    return torch.device(name)
