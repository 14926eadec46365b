"""Lay out agents as stacks and branch rows: which agents form a stack, and where each row lies.

State grows with the agents and cannot be chunked: parameters and moments, a row an agent.  All
else is worked on in chunks of rows, whose size follows from the caches and from what the memory
limit leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import Branch
from parse_dfl.config import TrainingConfig
from parse_dfl.engine.agent_data import AgentData, StackData, TensorData
from parse_dfl.engine.agent_stack import AgentStack, MemoryPlan
from parse_dfl.engine.optimizer import RowOptimizer, update_rows
from parse_dfl.engine.state import BranchState, flatten, param_slices
from parse_dfl.errors import ConfigError
from parse_dfl.methods.base import NetworkBuilder
from parse_dfl.networks.network import NetworkSpec
from parse_dfl.process import format_bytes, memory_bytes, resident_bytes

EVALUATION_BYTES = 16 << 20
"""What an evaluation of the smallest chunks takes."""


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
    agent_data: Sequence[AgentData],
    *,
    build_network: NetworkBuilder,
    network_spec: NetworkSpec,
    training: TrainingConfig,
    is_trained_here: Callable[[AgentSpec], bool],
    compiled: bool = False,
    centralised: bool = False,
    threads: int = 1,
) -> Layout:
    """Group agents of one architecture, allocate every branch's matrix, and bind the views.

    ``agent_data`` are all agents of the federation: the order of those that are trained here does
    not depend on who else is.  Rows start from weights drawn from (seed, branch), so equal
    components start equal everywhere without anyone telling them.
    """
    groups = [
        here
        for group in architecture_groups(agent_data)
        if (here := [entry for entry in group if is_trained_here(entry.agent)])
    ]
    networks = [build_network(network_spec, group[0].agent) for group in groups]
    stacks = [
        AgentStack(
            [entry.agent for entry in group],
            network.to(device=data.device, dtype=data.dtype),
            StackData(data, group),
            batch_size=training.batch_size,
            prior_correction=training.prior_correction,
            mixed_precision=training.mixed_precision,
            update=partial(update_rows, training) if compiled and not centralised else None,
        )
        for group, network in zip(groups, networks, strict=True)
    ]
    optimizer = RowOptimizer(training)
    plans = [stack.memory_plan for stack in stacks]
    _share_work(plans, threads)
    _share_memory(
        plans, optimizer, training.memory_limit, keeps_gradients=centralised, threads=threads
    )
    branches = _allocate(stacks, optimizer, keeps_gradients=centralised)
    return Layout(stacks, branches)


def _share_work(plans: Sequence[MemoryPlan], threads: int) -> None:
    """Let no part be more than a thread's share of all work, where parts are trained at once."""
    if threads == 1:
        return
    total = sum(plan.rows * plan.training_bytes for plan in plans)
    for plan in plans:
        plan.most_rows = max(1, total // (threads * plan.training_bytes))


def _share_memory(
    plans: Sequence[MemoryPlan],
    optimizer: RowOptimizer,
    limit: str | None,
    *,
    keeps_gradients: bool,
    threads: int,
) -> None:
    """Give every stack what one thread may work with; all parts take turns in it.

    Raises:
        ConfigError: the limit is below what the rows and one chunk need.
    """
    matrices = 1 + optimizer.matrices + keeps_gradients
    left = working_bytes(
        limit,
        held_bytes=resident_bytes(),
        state_bytes=matrices * sum(p.rows * p.parameters * p.number_bytes for p in plans),
        least_bytes=threads * max(plan.training_bytes for plan in plans),
        agents=sum(plan.rows for plan in plans),
    )
    for plan in plans:
        plan.working_bytes = None if left is None else left // threads


def working_bytes(
    limit: str | None, *, held_bytes: int, state_bytes: int, least_bytes: int, agents: int
) -> int | None:
    """Return the bytes that ``limit`` leaves for training and evaluation; None: no limit.

    ``held_bytes`` lie there already: libraries and data; ``state_bytes`` will: parameters and
    moments of all agents; ``least_bytes`` is what working on one row at a time takes.

    Raises:
        ConfigError: that does not fit; the message says what would.
    """
    if limit is None:
        return None
    needed = held_bytes + state_bytes + least_bytes + EVALUATION_BYTES
    left = memory_bytes(limit) - held_bytes - state_bytes
    if left < least_bytes + EVALUATION_BYTES:
        work = format_bytes(least_bytes + EVALUATION_BYTES)
        raise ConfigError(
            f"memory limit {limit} is too small: {format_bytes(needed)} are needed, "
            f"{format_bytes(held_bytes)} for libraries and data, {format_bytes(state_bytes)} for "
            f"parameters and optimizer state of {agents} agents, {work} to work with; raise it, or "
            "train fewer agents, narrower networks, or with --optimizer sgd"
        )
    return left


def architecture_groups(agent_data: Sequence[AgentData]) -> list[list[AgentData]]:
    """Group by (modality set, encoders), in the order of first appearance."""
    groups: dict[object, list[AgentData]] = {}
    for entry in agent_data:
        groups.setdefault((entry.agent.modalities, entry.agent.encoders), []).append(entry)
    return list(groups.values())


def _allocate(
    stacks: Sequence[AgentStack], optimizer: RowOptimizer, *, keeps_gradients: bool
) -> dict[Branch, BranchState]:
    owners: dict[Branch, list[AgentStack]] = {}
    for stack in stacks:
        for branch in stack.network.branches.values():
            owners.setdefault(branch, []).append(stack)
    initial = _InitialRows()
    return {
        branch: _allocate_branch(
            branch, owning, optimizer, initial, keeps_gradients=keeps_gradients
        )
        for branch, owning in owners.items()
    }


def _allocate_branch(
    branch: Branch,
    owners: Sequence[AgentStack],
    optimizer: RowOptimizer,
    initial: _InitialRows,
    *,
    keeps_gradients: bool,
) -> BranchState:
    agents = [agent for stack in owners for agent in stack.agents]
    starts = [initial.row(stack, branch, agent.seed) for stack in owners for agent in stack.agents]
    params = torch.stack(starts)
    together = max(stack.memory_plan.rows_per_chunk for stack in owners)
    rows = BranchState(
        branch,
        agents,
        param_slices(owners[0].network.parts[branch.label]),
        params,
        gradient=torch.zeros_like(params[: len(agents) if keeps_gradients else together]),
        steps=torch.zeros(len(agents), dtype=torch.int64, device=params.device),
        moments=optimizer.moments(params),
    )
    begin = 0
    for stack in owners:
        block = slice(begin, begin + len(stack.agents))
        stack.bind(branch.label, rows, block)
        begin = block.stop
    return rows


class _InitialRows:
    """The starting row of each branch and seed, drawn once."""

    def __init__(self) -> None:
        self._rows: dict[tuple[Branch, int], Tensor] = {}

    def row(self, stack: AgentStack, branch: Branch, seed: int) -> Tensor:
        """Return the row, shape=(P,), on the stack's device."""
        if (branch, seed) not in self._rows:
            for label, other in stack.network.branches.items():
                if (other, seed) not in self._rows:
                    part = stack.network.fresh(label, seed)
                    row = flatten(part, param_slices(part))
                    self._rows[other, seed] = row.to(stack.weight.device, stack.weight.dtype)
        return self._rows[branch, seed]
