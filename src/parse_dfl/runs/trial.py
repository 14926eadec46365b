"""From a configuration to a simulator that is set up for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parse_dfl.agents import AgentMix, AgentSpec
from parse_dfl.config import RunConfig
from parse_dfl.data.splits import Split, split
from parse_dfl.engine.agent_data import AgentData
from parse_dfl.engine.gossip import Payload
from parse_dfl.engine.gossip_standardisation import agree
from parse_dfl.engine.sampler import local_steps
from parse_dfl.engine.simulator import Simulator
from parse_dfl.errors import ConfigError
from parse_dfl.methods.base import Method, nothing
from parse_dfl.ranks.group import ALONE, Ranks
from parse_dfl.ranks.simulator import ShardedSimulator, check_method
from parse_dfl.runs.auto_split import Proposal
from parse_dfl.runs.setup import (
    NOTHING_OWN,
    Own,
    deal,
    gather,
    load_data,
    method_of,
    mix_for,
    proposals_for,
)

NOTHING_SENT = Payload(0, 0, 0)


@dataclass(frozen=True)
class Trial:
    """One method on one federation, or on several of different seeds side by side.

    ``weights`` says how many agents an agent of the simulator stands for: one, but for the
    oracle's merged agents.  ``proposals`` are the splits that were proposed, by seed, where
    they were asked for; seeds side by side have the same.  ``agreement`` is what was sent before
    the first round, to agree on the standardisation.  ``ranks`` are the processes that the
    simulator's rows are shared out over.
    """

    config: RunConfig
    seeds: tuple[int, ...]
    simulator: Simulator
    split: Split
    mix: AgentMix
    weights: Mapping[AgentSpec, int]
    proposals: Mapping[int, Proposal] = field(default_factory=dict)
    agreement: Payload = NOTHING_SENT
    ranks: Ranks = ALONE

    @property
    def evaluation_samples(self) -> NDArray[np.int64]:
        """The samples that final scores are measured on."""
        validates = self.config.data.evaluate_on == "validation"
        return self.split.validation if validates else self.split.test


def build_trial(
    config: RunConfig, seeds: Sequence[int], own: Own = NOTHING_OWN, ranks: Ranks = ALONE
) -> Trial:
    """Load, split and deal the data, and set the simulator up; on several ranks, each its part.

    Raises:
        ParseDflError: anything in the configuration or the data cannot be used.
    """
    check_ranks(config, method_of(config, own), ranks)
    found = gather(config, seeds, own)
    shards = found.shards
    weights = {shard.agent: 1 for shard in shards}
    if found.method.centralised:
        shards, weights = merge_shards(shards)
    agreement = NOTHING_SENT
    if config.data.standardise == "agreed" and (found.method.centralised or _shares(found.method)):
        shards, agreement = agree(found.data, shards, found.topology)
    build = Simulator if ranks.size == 1 else partial(ShardedSimulator, ranks=ranks)
    simulator = build(
        found.tensors(),
        shards,
        found.method,
        found.network_spec,
        training=config.training,
        overlay=config.overlay,
        topology=found.topology,
        events=found.events,
        compiled=config.compile,
    )
    return Trial(
        config,
        tuple(seeds),
        simulator,
        found.split,
        found.mix,
        weights,
        found.proposals,
        NOTHING_SENT if found.method.centralised else agreement,
        ranks,
    )


def _shares(method: Method) -> bool:
    """Whether anything is exchanged at all: who learns alone agrees with nobody either."""
    return any(stage.sharing is not nothing for stage in method.stages)


def check_ranks(config: RunConfig, method: Method, ranks: Ranks) -> None:
    """Refuse what needs all agents in one process, if there are several.

    Raises:
        ConfigError: the method does, or a recording.
    """
    if ranks.size == 1:
        return
    check_method(method, ranks)
    if config.record:
        raise ConfigError(
            f"--record {','.join(config.record)} compares agents of different ranks, which "
            f"{ranks.size} ranks cannot; run it in one process, without torchrun"
        )


def groups_of_equal_work(
    config: RunConfig, seeds: Sequence[int], own: Own = NOTHING_OWN
) -> list[list[int]]:
    """Seeds that can run side by side: their agents make equally many steps a round, and have
    slices of equal widths."""
    data = own.data or load_data(config)
    mix = mix_for(config.agents, data.modalities, data.ignored)
    parts = split(data, config.data.test)
    groups: dict[tuple[Any, ...], list[int]] = {}
    training = config.training
    for seed in seeds:
        shards = deal(config, data, parts, mix, seed)
        sizes = [len(shard.indices) for shard in shards]
        steps = local_steps(sizes, training.batch_size, training.local_epochs, training.local_steps)
        splits = [proposal.split for proposal in proposals_for(config, data, shards).values()]
        groups.setdefault((steps, *splits), []).append(seed)
    return list(groups.values())


def merge_shards(shards: Sequence[AgentData]) -> tuple[list[AgentData], dict[AgentSpec, int]]:
    """One agent per seed and modality set with the union of the samples, and how many it is."""
    groups: dict[AgentSpec, list[AgentData]] = {}
    for shard in shards:
        merged = replace(shard.agent, name=f"{shard.agent.group}-all")
        groups.setdefault(merged, []).append(shard)
    union = [
        AgentData(agent, np.unique(np.concatenate([part.indices for part in parts])))
        for agent, parts in groups.items()
    ]
    return union, {agent: len(parts) for agent, parts in groups.items()}
