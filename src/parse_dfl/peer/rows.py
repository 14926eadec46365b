"""A peer's rows of a branch: its own, and those of the neighbours, of which only what they sent
is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import Branch
from parse_dfl.training.rows import BranchRows
from parse_dfl.training.view import PartialRows


class PeerRows(PartialRows):
    """Rows (own, neighbours...): the neighbours' repeat the own one, at no cost."""

    def __init__(
        self,
        rows: BranchRows,
        branches: Mapping[Branch, BranchRows],
        others: Sequence[AgentSpec],
    ) -> None:
        super().__init__(rows, branches)
        self.agents = [*rows.agents, *others]

    def _among_others(self, own: Tensor) -> Tensor:
        return own.expand(len(self.agents), *own.shape[1:])
