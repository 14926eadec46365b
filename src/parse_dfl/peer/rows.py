"""A peer's rows of a branch: its own, and those of the neighbours, of which only what they sent
is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import Branch
from parse_dfl.training.rows import BranchRows
from parse_dfl.training.view import RowsView


class PeerRows:
    """Rows (own, neighbours...) as an exchange rule sees them.

    What was not sent is not known: ``theta``, ``before`` and drift repeat the own row, at no
    cost, and what a rule makes of a neighbour's row is thrown away.
    """

    def __init__(
        self,
        rows: BranchRows,
        branches: Mapping[Branch, BranchRows],
        others: Sequence[AgentSpec],
    ) -> None:
        self._own = RowsView(rows, branches)
        self.agents = [*rows.agents, *others]

    @property
    def theta(self) -> Tensor:
        """Parameters after local training."""
        return self._repeated(self._own.theta)

    @property
    def before(self) -> Tensor:
        """Parameters as the round began."""
        return self._repeated(self._own.before)

    @property
    def memory(self) -> dict[str, Tensor]:
        """The rule's own tensors."""
        return self._own.memory

    @property
    def progress(self) -> float:
        """The share of all rounds that have begun."""
        return self._own.progress

    def drift(self, component: str) -> Tensor:
        """‖θ − θ_start‖ of the own branches of ``component``."""
        return self._repeated(self._own.drift(component))

    def _repeated(self, row: Tensor) -> Tensor:
        return row.expand(len(self.agents), *row.shape[1:])
