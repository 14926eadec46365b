"""A branch's rows as an exchange rule sees them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import Branch
from parse_dfl.training.rows import BranchRows


class RowsView:
    """Rows of agents that train in this process (:class:`~parse_dfl.methods.exchange.Rows`)."""

    def __init__(self, rows: BranchRows, branches: Mapping[Branch, BranchRows]) -> None:
        self._rows, self._branches = rows, branches

    @property
    def agents(self) -> Sequence[AgentSpec]:
        """The owner of each row."""
        return self._rows.agents

    @property
    def theta(self) -> Tensor:
        """Parameters after local training."""
        return self._rows.theta

    @property
    def before(self) -> Tensor:
        """Parameters as the round began."""
        assert self._rows.before is not None, "the exchange rule must say that it needs_before"
        return self._rows.before

    @property
    def memory(self) -> dict[str, Tensor]:
        """The rule's own tensors."""
        return self._rows.memory

    @property
    def progress(self) -> float:
        """The share of all rounds that have begun."""
        return self._rows.progress

    def drift(self, component: str) -> Tensor:
        """‖θ − θ_start‖ of each owner's branches of ``component``, shape=(n, M)."""
        lengths: dict[tuple[int, str], dict[str, Tensor]] = {}
        for branch, rows in sorted(self._branches.items()):
            if branch.component == component:
                assert rows.stage_start is not None, "the stage must track this component's drift"
                norms = (rows.theta - rows.stage_start).norm(dim=1)
                for agent, norm in zip(rows.agents, norms, strict=True):
                    lengths.setdefault((agent.seed, agent.name), {})[branch.modality] = norm
        own = [lengths[agent.seed, agent.name] for agent in self.agents]
        return torch.stack([torch.stack([row[name] for name in sorted(row)]) for row in own])


class PartialRows(ABC):
    """Own rows among others of which only what they sent will be known
    (:class:`~parse_dfl.methods.exchange.Rows`): in a peer, and on one of several ranks.

    What a rule makes of the others' rows is thrown away.
    """

    agents: Sequence[AgentSpec]

    def __init__(self, rows: BranchRows, branches: Mapping[Branch, BranchRows]) -> None:
        self._own = RowsView(rows, branches)

    @abstractmethod
    def _among_others(self, own: Tensor) -> Tensor:
        """``own``, a row per own agent, with a row of anything for every other one."""

    @property
    def theta(self) -> Tensor:
        """Parameters after local training."""
        return self._among_others(self._own.theta)

    @property
    def before(self) -> Tensor:
        """Parameters as the round began."""
        return self._among_others(self._own.before)

    @property
    def memory(self) -> dict[str, Tensor]:
        """The rule's own tensors."""
        return self._own.memory

    @property
    def progress(self) -> float:
        """The share of all rounds that have begun."""
        return self._own.progress

    def drift(self, component: str) -> Tensor:
        """‖θ − θ_start‖ of the own rows' branches of ``component``."""
        return self._among_others(self._own.drift(component))
