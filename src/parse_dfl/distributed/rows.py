"""A branch's rows on one rank as an exchange rule sees them: its own, and the halo's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import Branch
from parse_dfl.distributed.halo import Halo
from parse_dfl.training.rows import BranchRows
from parse_dfl.training.view import RowsView


class HaloRows:
    """Local rows (:class:`~parse_dfl.methods.exchange.Rows`).

    Of the halo only what is sent will be known: its rows are zero here, and what a rule makes of
    them is thrown away, as in a peer.
    """

    def __init__(
        self,
        rows: BranchRows,
        branches: Mapping[Branch, BranchRows],
        halo: Halo,
        agents: Sequence[AgentSpec],
    ) -> None:
        self._own = RowsView(rows, branches)
        self._places = torch.from_numpy(halo.own).to(rows.theta.device)
        self.agents = [agents[row] for row in halo.rows.tolist()]

    @property
    def theta(self) -> Tensor:
        """Parameters after local training."""
        return self._spread(self._own.theta)

    @property
    def before(self) -> Tensor:
        """Parameters as the round began."""
        return self._spread(self._own.before)

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
        return self._spread(self._own.drift(component))

    def _spread(self, own: Tensor) -> Tensor:
        local = own.new_zeros((len(self.agents), *own.shape[1:]))
        return local.index_copy_(0, self._places, own)
