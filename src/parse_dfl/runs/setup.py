"""Build what an engine runs from a configuration: method and network, simulator, trainer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from parse_dfl.agents import AgentSpec, ModalityChange
from parse_dfl.config import RunConfig
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.data.splits import Split
from parse_dfl.engine.agent_data import AgentData, TensorData
from parse_dfl.engine.gossip import Payload
from parse_dfl.engine.gossip_standardisation import agree
from parse_dfl.engine.simulator import Simulator, build_simulator
from parse_dfl.engine.trainer import Trainer
from parse_dfl.errors import ConfigError
from parse_dfl.methods.base import Method
from parse_dfl.methods.byzantine_aggregation import robust_method
from parse_dfl.methods.registry import build_method
from parse_dfl.networks.encoders import SampleShape
from parse_dfl.networks.network import NetworkSpec
from parse_dfl.overlays.topologies import Topology
from parse_dfl.ranks.group import ALONE, Ranks
from parse_dfl.ranks.simulator import build_rank_simulator, check_method
from parse_dfl.runs.auto_split import Proposal
from parse_dfl.runs.shared_setup import NO_OVERRIDES, Overrides, SharedSetup, steps_of

EVALUATION_SEED = 0
"""The samples that are evaluated while training are the same for all runs on one data set."""
NOTHING_SENT = Payload(0, 0, 0)


@dataclass(frozen=True, kw_only=True)
class RunSetup:
    """What a configuration stands for, before an engine makes something of it.

    ``proposals`` are the slice ratios that were proposed, by seed, where they were asked for.
    """

    config: RunConfig
    data: MultimodalData
    split: Split
    agent_data: list[AgentData]
    method: Method
    topology: Topology
    events: list[ModalityChange]
    network_spec: NetworkSpec
    proposals: Mapping[int, Proposal] = field(default_factory=dict)

    @property
    def evaluation_samples(self) -> NDArray[np.int64]:
        """The samples that final scores are measured on."""
        validates = self.config.data.evaluate_on == "validation"
        return self.split.validation if validates else self.split.test

    @property
    def some_evaluation_samples(self) -> NDArray[np.int64]:
        """The samples that scores are measured on while training, ascending."""
        rng = np.random.default_rng(EVALUATION_SEED)
        return np.sort(rng.permutation(self.evaluation_samples)[: self.config.eval_samples])

    @property
    def lr(self) -> float:
        """The learning rate at the start: as set, or the method's own."""
        return self.method.lr if self.config.training.lr is None else self.config.training.lr


def prepare(
    config: RunConfig,
    seeds: Sequence[int],
    overrides: Overrides = NO_OVERRIDES,
    shared: SharedSetup | None = None,
) -> RunSetup:
    """Load, split and partition the data, and look up what the configuration names.

    ``shared`` is made of the same configuration, but for the method and its learning rate.

    Raises:
        ParseDflError: anything in the configuration or the data cannot be used.
    """
    method = method_of(config, overrides)
    shared = shared or SharedSetup(config, overrides)
    proposals = shared.proposals(seeds)
    return RunSetup(
        config=config,
        data=shared.data,
        split=shared.split,
        agent_data=[part for seed in seeds for part in shared.agent_data(seed)],
        method=method,
        topology=shared.topology,
        events=shared.events,
        network_spec=network_spec_of(config, shared.data, overrides, proposals),
        proposals=proposals,
    )


def method_of(config: RunConfig, overrides: Overrides = NO_OVERRIDES) -> Method:
    """Return the method that is trained.

    Raises:
        ConfigError: the configuration's method or one of its options is unknown.
    """
    return overrides.method or build_method(config.method, config.options())


def network_spec_of(
    config: RunConfig,
    data: MultimodalData,
    overrides: Overrides = NO_OVERRIDES,
    proposals: Mapping[int, Proposal] = MappingProxyType({}),
) -> NetworkSpec:
    """Return what the networks of a run on ``data`` are built from.

    ``proposals`` all have the same slice ratio.
    """
    samples = {
        name: SampleShape(name, data.kinds[name], data.shape(name), data.layouts.get(name))
        for name in data.modalities
    }
    network = config.network
    if proposals:
        (ratio,) = {proposal.split for proposal in proposals.values()}
        network = replace(network, split=ratio)
    return NetworkSpec(
        samples=samples, classes=data.classes, config=network, own_encoders=overrides.encoders
    )


def build_trainer(setup: RunSetup, tensors: TensorData, agent: str) -> Trainer:
    """Build the trainer of one agent by itself, a peer.

    It makes as many local steps a round as it would among the other agents of ``setup``.
    """
    training = setup.config.training
    return Trainer(
        tensors,
        [part for part in setup.agent_data if part.agent.name == agent],
        robust_method(setup.method, setup.config.overlay.robust),
        setup.network_spec,
        training=replace(training, local_steps=steps_of(training, setup.agent_data)),
        changes=[event for event in setup.events if event.agent == agent],
    )


@dataclass(frozen=True)
class Trial:
    """One method on one federation, or on several of different seeds side by side.

    ``weights`` says how many agents an agent of the simulator stands for: one, but for the
    oracle's merged agents.  ``agreement`` is what was sent before the first round, to agree on
    the standardisation.  ``ranks`` are the processes that the simulator's rows are shared out
    over.
    """

    setup: RunSetup
    seeds: tuple[int, ...]
    simulator: Simulator
    weights: Mapping[AgentSpec, int]
    agreement: Payload = NOTHING_SENT
    ranks: Ranks = ALONE

    @property
    def config(self) -> RunConfig:
        """The configuration that it was built from."""
        return self.setup.config

    @property
    def evaluation_samples(self) -> NDArray[np.int64]:
        """The samples that final scores are measured on."""
        return self.setup.evaluation_samples


def build_trial(
    config: RunConfig,
    seeds: Sequence[int],
    overrides: Overrides = NO_OVERRIDES,
    ranks: Ranks = ALONE,
    shared: SharedSetup | None = None,
) -> Trial:
    """Prepare a run, as :func:`prepare`, and build its simulator; on several ranks, each its part.

    Raises:
        ParseDflError: anything in the configuration or the data cannot be used.
    """
    check_ranks(config, method_of(config, overrides), ranks)
    shared = shared or SharedSetup(config, overrides)
    setup = prepare(config, seeds, overrides, shared)
    agent_data, weights, agreement = _standardised(setup, seeds, shared)
    build = build_simulator if ranks.size == 1 else partial(build_rank_simulator, ranks=ranks)
    simulator = build(
        shared.tensors,
        agent_data,
        setup.method,
        setup.network_spec,
        training=config.training,
        overlay=config.overlay,
        topology=setup.topology,
        changes=setup.events,
        compiled=config.compile,
    )
    return Trial(setup, tuple(seeds), simulator, weights, agreement, ranks)


def _standardised(
    setup: RunSetup, seeds: Sequence[int], shared: SharedSetup
) -> tuple[list[AgentData], dict[AgentSpec, int], Payload]:
    """Return the agents of a trial, how many each stands for, and what they sent to agree."""
    centralised = setup.method.centralised
    if centralised:
        agent_data, weights = merge_agents(setup.agent_data)
    else:
        agent_data = [part for seed in seeds for part in shared.standardised(seed)]
        weights = {part.agent: 1 for part in agent_data}
    if setup.config.data.standardise != "agreed" or not (centralised or setup.method.shares):
        return agent_data, weights, NOTHING_SENT
    agent_data, agreement = agree(setup.data, agent_data, setup.topology)
    return agent_data, weights, NOTHING_SENT if centralised else agreement


def check_ranks(config: RunConfig, method: Method, ranks: Ranks) -> None:
    """Refuse what needs all agents in one process, if there are several.

    Raises:
        ConfigError: the method does, or a recording.
    """
    if ranks.size == 1:
        return
    check_method(method, ranks)
    if config.training.keep_best:
        raise ConfigError(
            f"--keep-best compares what all agents do, which {ranks.size} ranks cannot; run it in "
            "one process, without torchrun"
        )
    if config.record:
        raise ConfigError(
            f"--record {','.join(config.record)} compares agents of different ranks, which "
            f"{ranks.size} ranks cannot; run it in one process, without torchrun"
        )


def merge_agents(
    agent_data: Sequence[AgentData],
) -> tuple[list[AgentData], dict[AgentSpec, int]]:
    """Merge each seed's agents of one modality set: the union of samples, and how many they are."""
    groups: dict[AgentSpec, list[AgentData]] = {}
    for part in agent_data:
        merged = replace(part.agent, name=f"{part.agent.group}-all")
        groups.setdefault(merged, []).append(part)
    union = [
        AgentData(agent, np.unique(np.concatenate([part.indices for part in parts])))
        for agent, parts in groups.items()
    ]
    return union, {agent: len(parts) for agent, parts in groups.items()}
