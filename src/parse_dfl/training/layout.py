"""From agents to cohorts and branch rows: who is stacked with whom, and where its row lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import Branch
from parse_dfl.methods.method import NetworkBuilder
from parse_dfl.networks.blueprint import Blueprint
from parse_dfl.networks.network import Network
from parse_dfl.training.chunks import Chunks
from parse_dfl.training.cohort import Cohort
from parse_dfl.training.config import TrainingConfig
from parse_dfl.training.memory import resident_bytes, working_bytes
from parse_dfl.training.optimizer import RowOptimizer
from parse_dfl.training.rows import BranchRows, columns_of, flatten
from parse_dfl.training.shards import CohortData, Shard, TensorData
from parse_dfl.training.update import update_rows


@dataclass(frozen=True)
class Layout:
    """All cohorts and all branches of a set of agents."""

    cohorts: list[Cohort]
    branches: dict[Branch, BranchRows]

    @property
    def agents(self) -> list[AgentSpec]:
        """All agents, cohort by cohort."""
        return [agent for cohort in self.cohorts for agent in cohort.agents]


def build_layout(
    data: TensorData,
    shards: Sequence[Shard],
    *,
    build_network: NetworkBuilder,
    blueprint: Blueprint,
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
    networks = [build_network(blueprint, group[0].agent) for group in members]
    cohorts = [
        Cohort(
            [shard.agent for shard in group],
            network.to(device=data.device, dtype=data.dtype),
            CohortData(data, group),
            batch_size=training.batch_size,
            prior_correction=training.prior_correction,
            mixed_precision=training.mixed_precision,
            update=partial(update_rows, training) if compiled and not centralised else None,
        )
        for group, network in zip(members, networks, strict=True)
    ]
    optimizer = RowOptimizer(training)
    _share_work([cohort.chunks for cohort in cohorts], threads)
    _share_memory(
        cohorts, optimizer, training.memory_limit, keeps_gradients=centralised, threads=threads
    )
    branches = _allocate(cohorts, optimizer, keeps_gradients=centralised)
    return Layout(cohorts, branches)


def _share_work(chunks: Sequence[Chunks], threads: int) -> None:
    """Let no part be more than a thread's share of all work, where parts are trained at once."""
    if threads == 1:
        return
    total = sum(own.rows * own.training_bytes for own in chunks)
    for own in chunks:
        own.most_rows = max(1, total // (threads * own.training_bytes))


def _share_memory(
    cohorts: Sequence[Cohort],
    optimizer: RowOptimizer,
    limit: str | None,
    *,
    keeps_gradients: bool,
    threads: int,
) -> None:
    """Tell every cohort what one thread may work with; all parts take turns in it.

    Raises:
        ConfigError: the limit is below what the rows and one chunk need.
    """
    chunks = [cohort.chunks for cohort in cohorts]
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


def signature_groups(shards: Sequence[Shard]) -> list[list[Shard]]:
    """Shards by (modality set, encoders), in the order of first appearance."""
    groups: dict[object, list[Shard]] = {}
    for shard in shards:
        groups.setdefault((shard.agent.modalities, shard.agent.encoders), []).append(shard)
    return list(groups.values())


def _allocate(
    cohorts: Sequence[Cohort], optimizer: RowOptimizer, *, keeps_gradients: bool
) -> dict[Branch, BranchRows]:
    owners: dict[Branch, list[Cohort]] = {}
    for cohort in cohorts:
        for branch in cohort.network.branches.values():
            owners.setdefault(branch, []).append(cohort)
    initial = InitialRows()
    return {
        branch: _branch_rows(branch, own, optimizer, initial, keeps_gradients=keeps_gradients)
        for branch, own in owners.items()
    }


def _branch_rows(
    branch: Branch,
    owners: Sequence[Cohort],
    optimizer: RowOptimizer,
    initial: InitialRows,
    *,
    keeps_gradients: bool,
) -> BranchRows:
    agents = [agent for cohort in owners for agent in cohort.agents]
    columns = columns_of(owners[0].network.parts[branch.label])
    starts = [
        initial.row(cohort, branch, agent.seed) for cohort in owners for agent in cohort.agents
    ]
    theta = torch.stack(starts)
    together = len(agents) if keeps_gradients else max(cohort.chunks.height for cohort in owners)
    rows = BranchRows(
        branch,
        agents,
        columns,
        theta,
        gradient=torch.zeros_like(theta[:together]),
        steps=torch.zeros(len(agents), dtype=torch.int64, device=theta.device),
        moments=optimizer.moments(theta),
    )
    begin = 0
    for cohort in owners:
        block = slice(begin, begin + len(cohort.agents))
        cohort.bind(branch.label, rows, block)
        begin = block.stop
    return rows


class InitialRows:
    """The starting row of each branch and seed, drawn once."""

    def __init__(self) -> None:
        self._known: dict[tuple[Branch, int], Tensor] = {}

    def row(self, cohort: Cohort, branch: Branch, seed: int) -> Tensor:
        """The row, shape=(P,), on the cohort's device."""
        if (branch, seed) not in self._known:
            self._draw(cohort.network, seed, cohort.data.label.device, cohort.data)
        return self._known[branch, seed]

    def _draw(self, network: Network, seed: int, device: torch.device, data: CohortData) -> None:
        dtype = next(iter(data.inputs.values())).dtype
        for label, branch in network.branches.items():
            if (branch, seed) not in self._known:
                part = network.fresh(label, seed)
                self._known[branch, seed] = flatten(part, columns_of(part)).to(device, dtype)
