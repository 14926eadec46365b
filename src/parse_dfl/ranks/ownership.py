"""Who owns which branch over all ranks, in the order of one process's rows, without any rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import Branch
from parse_dfl.engine.agent_data import AgentData
from parse_dfl.engine.layout import signature_groups
from parse_dfl.engine.state import param_slices
from parse_dfl.methods.base import NetworkBuilder
from parse_dfl.networks.network import Network, NetworkSpec

Name = tuple[int, str]
"""An agent's federation and name: what it keeps when its modalities change."""


def name_of(agent: AgentSpec) -> Name:
    """The agent's :data:`Name`."""
    return agent.seed, agent.name


@dataclass(frozen=True)
class Owners:
    """A branch and all its owners, in the order of its rows in one process."""

    branch: Branch
    agents: list[AgentSpec]
    width: int


@dataclass(frozen=True)
class Work:
    """What a sample costs an agent in training and evaluation: operations of a forward pass; and
    its parameters, which every step passes over."""

    forward: int
    parameters: int


class Roster:
    """All agents, stack by stack, and the owners of every branch."""

    def __init__(
        self, shards: Sequence[AgentData], build_network: NetworkBuilder, network_spec: NetworkSpec
    ) -> None:
        self._shards = list(shards)
        self._build, self._network_spec = build_network, network_spec
        self.agents: list[AgentSpec] = []
        self.work: dict[AgentSpec, Work] = {}
        self.branches: dict[Branch, Owners] = {}
        for group in signature_groups(shards):
            agents = [shard.agent for shard in group]
            network = build_network(network_spec, agents[0])
            self.agents += agents
            self._add(network, agents)
            self.work |= dict.fromkeys(agents, _work(network, network_spec, agents[0]))
        self.place = {name_of(agent): index for index, agent in enumerate(self.agents)}

    def _add(self, network: Network, agents: Sequence[AgentSpec]) -> None:
        for label, branch in network.branches.items():
            if branch not in self.branches:
                width = _width(network, label)
                self.branches[branch] = Owners(branch, [], width)
            self.branches[branch].agents.extend(agents)

    def changed(self, agents: Mapping[Name, AgentSpec]) -> Self:
        """The roster after some agents have changed."""
        shards = [
            AgentData(agents.get(name_of(shard.agent), shard.agent), shard.indices)
            for shard in self._shards
        ]
        return type(self)(shards, self._build, self._network_spec)

    def in_order(self, shards: Sequence[AgentData]) -> list[AgentData]:
        """Some of the shards, in the order of the roster's agents."""
        return sorted(shards, key=lambda shard: self.place[name_of(shard.agent)])


def _width(network: Network, label: str) -> int:
    return sum(column.width for column in param_slices(network.parts[label]))


def _work(network: Network, network_spec: NetworkSpec, agent: AgentSpec) -> Work:
    inputs = {name: torch.zeros(1, *network_spec.samples[name].shape) for name in agent.modalities}
    with torch.no_grad(), _Operations() as counter:
        network.eval()(inputs)
    parameters = sum(_width(network, label) for label in network.branches)
    return Work(forward=counter.total, parameters=parameters)


class _Operations(TorchDispatchMode):
    """Counts as torch's FlopCounterMode does, but does not load the compiler, which would cost
    every rank seconds at its start."""

    def __init__(self) -> None:
        TorchDispatchMode.__init__(self)
        self.total = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        result = func(*args, **given)
        if count := flop_registry.get(func.overloadpacket):
            self.total += count(*args, **given, out_val=result)
        return result
