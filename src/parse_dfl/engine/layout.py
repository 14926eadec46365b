"""From agents to stacks and branch rows: who is stacked with whom, and where its row lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import Branch
from parse_dfl.config import TrainingConfig
from parse_dfl.engine.agent_data import AgentData, StackData, TensorData
from parse_dfl.engine.agent_stack import AgentStack
from parse_dfl.engine.memory_limit import resident_bytes, working_bytes
from parse_dfl.engine.memory_plan import Chunks
from parse_dfl.engine.optimizer import RowOptimizer, update_rows
from parse_dfl.engine.state import BranchState, flatten, param_slices
from parse_dfl.methods.base import NetworkBuilder
from parse_dfl.networks.network import Network
from parse_dfl.networks.network_spec import NetworkSpec


@dataclass(frozen=True)
class Layout:
    """All stacks and all branches of a set of agents."""

    stacks: list[AgentStack]
    branches: dict[Branch, BranchState]

    @property
    def agents(self) -> list[AgentSpec]:
        """All agents, stack by stack."""
        return [agent for stack in self.stacks for agent in stack.agents]


def build_layout(
    data: TensorData,
    shards: Sequence[AgentData],
    *,
    build_network: NetworkBuilder,
    network_spec: NetworkSpec,
    training: TrainingConfig,
    compiled: bool = False,
    centralised: bool = False,
    threads: int = 1,
) -> Layout:
    """Group agents of equal signature, allocate every branch's matrix, and bind the views.

    Rows start from weights drawn from (seed, branch), so equal components start equal
    everywhere without anyone telling them.
    """
    members = signature_groups(shards)
    networks = [build_network(network_spec, group[0].agent) for group in members]
    stacks = [
        AgentStack(
            [shard.agent for shard in group],
            network.to(device=data.device, dtype=data.dtype),
            StackData(data, group),
            batch_size=training.batch_size,
            prior_correction=training.prior_correction,
            mixed_precision=training.mixed_precision,
            update=partial(update_rows, training) if compiled and not centralised else None,
        )
        for group, network in zip(members, networks, strict=True)
    ]
    optimizer = RowOptimizer(training)
    _share_work([stack.chunks for stack in stacks], threads)
    _share_memory(
        stacks, optimizer, training.memory_limit, keeps_gradients=centralised, threads=threads
    )
    branches = _allocate(stacks, optimizer, keeps_gradients=centralised)
    return Layout(stacks, branches)


def _share_work(chunks: Sequence[Chunks], threads: int) -> None:
    """Let no part be more than a thread's share of all work, where parts are trained at once."""
    if threads == 1:
        return
    total = sum(own.rows * own.training_bytes for own in chunks)
    for own in chunks:
        own.most_rows = max(1, total // (threads * own.training_bytes))


def _share_memory(
    stacks: Sequence[AgentStack],
    optimizer: RowOptimizer,
    limit: str | None,
    *,
    keeps_gradients: bool,
    threads: int,
) -> None:
    """Tell every stack what one thread may work with; all parts take turns in it.

    Raises:
        ConfigError: the limit is below what the rows and one chunk need.
    """
    chunks = [stack.chunks for stack in stacks]
    matrices = 1 + optimizer.matrices + keeps_gradients
    left = working_bytes(
        limit,
        held_bytes=resident_bytes(),
        state_bytes=matrices * sum(own.rows * own.parameters * own.number_bytes for own in chunks),
        least_bytes=threads * max(own.training_bytes for own in chunks),
        agents=sum(own.rows for own in chunks),
    )
    for own in chunks:
        own.working_bytes = None if left is None else left // threads


def signature_groups(shards: Sequence[AgentData]) -> list[list[AgentData]]:
    """Shards by (modality set, encoders), in the order of first appearance."""
    groups: dict[object, list[AgentData]] = {}
    for shard in shards:
        groups.setdefault((shard.agent.modalities, shard.agent.encoders), []).append(shard)
    return list(groups.values())


def _allocate(
    stacks: Sequence[AgentStack], optimizer: RowOptimizer, *, keeps_gradients: bool
) -> dict[Branch, BranchState]:
    owners: dict[Branch, list[AgentStack]] = {}
    for stack in stacks:
        for branch in stack.network.branches.values():
            owners.setdefault(branch, []).append(stack)
    initial = InitialRows()
    return {
        branch: _branch_rows(branch, own, optimizer, initial, keeps_gradients=keeps_gradients)
        for branch, own in owners.items()
    }


def _branch_rows(
    branch: Branch,
    owners: Sequence[AgentStack],
    optimizer: RowOptimizer,
    initial: InitialRows,
    *,
    keeps_gradients: bool,
) -> BranchState:
    agents = [agent for stack in owners for agent in stack.agents]
    columns = param_slices(owners[0].network.parts[branch.label])
    starts = [initial.row(stack, branch, agent.seed) for stack in owners for agent in stack.agents]
    theta = torch.stack(starts)
    together = len(agents) if keeps_gradients else max(stack.chunks.height for stack in owners)
    rows = BranchState(
        branch,
        agents,
        columns,
        theta,
        gradient=torch.zeros_like(theta[:together]),
        steps=torch.zeros(len(agents), dtype=torch.int64, device=theta.device),
        moments=optimizer.moments(theta),
    )
    begin = 0
    for stack in owners:
        block = slice(begin, begin + len(stack.agents))
        stack.bind(branch.label, rows, block)
        begin = block.stop
    return rows


class InitialRows:
    """The starting row of each branch and seed, drawn once."""

    def __init__(self) -> None:
        self._known: dict[tuple[Branch, int], Tensor] = {}

    def row(self, stack: AgentStack, branch: Branch, seed: int) -> Tensor:
        """The row, shape=(P,), on the stack's device."""
        if (branch, seed) not in self._known:
            self._draw(stack.network, seed, stack.data.label.device, stack.data)
        return self._known[branch, seed]

    def _draw(self, network: Network, seed: int, device: torch.device, data: StackData) -> None:
        dtype = next(iter(data.inputs.values())).dtype
        for label, branch in network.branches.items():
            if (branch, seed) not in self._known:
                part = network.fresh(label, seed)
                self._known[branch, seed] = flatten(part, param_slices(part)).to(device, dtype)
