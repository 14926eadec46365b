"""Set up what no method changes: data, split, agents and their samples, overlays, changes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch

from parse_dfl.agents import AgentMix, ModalityChange, check_changes
from parse_dfl.byzantine import check_attackers
from parse_dfl.config import AUTO, RunConfig, TrainingConfig
from parse_dfl.data.catalog import load
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.data.partition import partition
from parse_dfl.data.splits import split
from parse_dfl.engine.agent_data import AgentData, TensorData, standardisers
from parse_dfl.engine.sampler import local_steps
from parse_dfl.errors import ConfigError, unknown
from parse_dfl.methods.base import Method
from parse_dfl.networks.encoders import EncoderBuilder
from parse_dfl.overlays.topologies import Topology
from parse_dfl.process import launch
from parse_dfl.runs.auto_split import Proposal, propose_split
from parse_dfl.runs.callbacks import Listener
from parse_dfl.text import as_given

if TYPE_CHECKING:
    import networkx as nx

AGENTS_PER_SET = 5


@dataclass(frozen=True, kw_only=True)
class Overrides:
    """Objects of the user's that take the place of what the configuration names.

    ``encoders`` are builders by name: the configuration's ``network.encoders`` chooses which
    modality, or which group's modality, uses which.  A run with any of these can be resumed only
    by giving them again.
    """

    data: MultimodalData | None = None
    encoders: Mapping[str, EncoderBuilder] = field(default_factory=dict)
    topology: nx.Graph | Topology | None = None
    method: Method | None = None


NO_OVERRIDES = Overrides()


class SharedSetup:
    """The data set of an experiment, its agents and their overlays.

    A comparison makes one for all its methods and seeds.  Everything is made when it is first
    asked for, and kept.

    Raises:
        ParseDflError: anything in the configuration or the data cannot be used.
    """

    def __init__(self, config: RunConfig, overrides: Overrides = NO_OVERRIDES) -> None:
        self.config, self._overrides = config, overrides
        self.data = overrides.data or load_data(config)
        self.mix = mix_for(config.agents, self.data.modalities, self.data.ignored)
        self.split = split(self.data, config.data.test)
        self._agent_data: dict[int, list[AgentData]] = {}
        self._standardised: dict[int, list[AgentData]] = {}
        self._proposals: dict[int, Proposal] = {}

    @cached_property
    def topology(self) -> Topology:
        """The topology of all overlays, which the agents of the mix can have."""
        given = self._overrides.topology
        topology = Topology.of(self.config.overlay.topology if given is None else given)
        names = [agent.name for agent in self.mix.agents()]
        topology.check(names)
        check_attackers(self.config.overlay.attackers, names)
        return topology

    @cached_property
    def events(self) -> list[ModalityChange]:
        """The changes of agents' modalities, each of which can happen."""
        events = list(self.config.events)
        rounds = self.config.training.rounds
        check_changes(events, self.mix.agents(), self.mix.modalities, rounds)
        return events

    @cached_property
    def tensors(self) -> TensorData:
        """The data on the device and with the dtype that the configuration names."""
        return tensors_of(self.config, self.data)

    def agent_data(self, seed: int) -> list[AgentData]:
        """Return the agents of one seed, each with its part of the training samples."""
        if seed not in self._agent_data:
            agents, source = self.mix.agents(seed), self.config.data
            parts = partition(
                self.data,
                self.split.train,
                agents,
                source.partition,
                samples_per_agent=source.samples_per_agent,
                seed=seed,
            )
            self._agent_data[seed] = [
                AgentData(agent, indices) for agent, indices in zip(agents, parts, strict=True)
            ]
        return self._agent_data[seed]

    def standardised(self, seed: int) -> list[AgentData]:
        """Return :meth:`agent_data` with what each agent's own samples are standardised by."""
        if seed not in self._standardised:
            self._standardised[seed] = [
                replace(part, standardisers=standardisers(self.data, part))
                for part in self.agent_data(seed)
            ]
        return self._standardised[seed]

    def proposals(self, seeds: Iterable[int]) -> dict[int, Proposal]:
        """Return the slice ratio proposed for each seed, where one is asked for."""
        if self.config.network.split != AUTO:
            return {}
        for seed in seeds:
            if seed not in self._proposals:
                self._proposals[seed] = propose_split(self.data, self.agent_data(seed))
        return {seed: self._proposals[seed] for seed in seeds}

    def tell_notes(self, listener: Listener) -> None:
        """Say how the data were read where that was a guess, of the modalities that agents own."""
        modalities = self.mix.modalities if self.config.agents else None
        for note in self.data.notes(modalities):
            listener.note(f"note: {note}")

    def groups_of_equal_work(self, seeds: Iterable[int]) -> list[list[int]]:
        """Group the seeds that can run side by side.

        Their agents make equally many steps a round, and have slices of equal widths.
        """
        groups: dict[tuple[Any, ...], list[int]] = {}
        for seed in seeds:
            steps = steps_of(self.config.training, self.agent_data(seed))
            ratios = [proposal.split for proposal in self.proposals([seed]).values()]
            groups.setdefault((steps, *ratios), []).append(seed)
        return list(groups.values())


def steps_of(training: TrainingConfig, agent_data: Iterable[AgentData]) -> int:
    """Return how many local steps the agents of one federation make a round."""
    sizes = [len(part.indices) for part in agent_data]
    return local_steps(sizes, training.batch_size, training.local_epochs, training.local_steps)


def load_data(config: RunConfig) -> MultimodalData:
    """Load the data set that the configuration names, with the modalities that its agents own.

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


def mix_for(
    agents: AgentMix | str | None,
    modalities: Iterable[str],
    ignored: Mapping[str, str] = MappingProxyType({}),
) -> AgentMix:
    """Return the mix ``agents``, or with None ``a=5,b=5,a+b=5`` for data of two modalities a, b.

    ``ignored`` is what else the data hold, and why it is no modality, for messages.

    Raises:
        ConfigError: the mix is malformed, names a modality that the data lack, or is missing
            for data that do not have exactly two modalities.
    """
    names = sorted(modalities)
    if agents is None:
        return AgentMix.from_string(_default_mix(names, ignored))
    mix = AgentMix.of(agents)
    for name in mix.modalities:
        if name not in names:
            raise unknown("modality", name, names)
    return mix


def _default_mix(names: list[str], ignored: Mapping[str, str]) -> str:
    sets = [*names, "+".join(names)] if len(names) > 1 else names
    text = ",".join(f"{modality_set}={AGENTS_PER_SET}" for modality_set in sets)
    if len(names) != 2:
        reasons = "; ".join(f"{name} is ignored ({why})" for name, why in ignored.items())
        raise ConfigError(
            f"no agent mix is given, and the data have {len(names)} modalities "
            f"({', '.join(names)}); write one, such as --agents {as_given(_quoted(text))}"
            f"{f'; {reasons}' if reasons else ''}"
        )
    return text


def _quoted(text: str) -> str:
    """Quote ``text`` for a shell where a name holds more than letters."""
    return f'"{text}"' if as_given(text) != text else text


def tensors_of(config: RunConfig, data: MultimodalData) -> TensorData:
    """Put ``data`` on the device and into the dtype that the configuration names."""
    return TensorData(data, torch_device(config.device), getattr(torch, config.training.dtype))


def torch_device(name: str) -> torch.device:
    """Return the device, made deterministic where it is not by itself.

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
