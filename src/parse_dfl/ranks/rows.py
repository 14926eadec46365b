"""A branch's rows on one rank as an exchange rule sees them: its own, and the halo's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import Branch
from parse_dfl.ranks.halo_exchange import Halo
from parse_dfl.training.rows import BranchRows
from parse_dfl.training.view import PartialRows


class HaloRows(PartialRows):
    """Local rows: the halo's are zero."""

    def __init__(
        self,
        rows: BranchRows,
        branches: Mapping[Branch, BranchRows],
        halo: Halo,
        agents: Sequence[AgentSpec],
    ) -> None:
        super().__init__(rows, branches)
        self._places = torch.from_numpy(halo.own).to(rows.theta.device)
        self.agents = [agents[row] for row in halo.rows.tolist()]

    def _among_others(self, own: Tensor) -> Tensor:
        local = own.new_zeros((len(self.agents), *own.shape[1:]))
        return local.index_copy_(0, self._places, own)
