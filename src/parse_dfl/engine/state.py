"""The state of a branch: a matrix with a row per owner and a column per parameter.

Rows are ordered by stack, so that a stack's parameters are views of a block of rows: training
writes into the matrix and mixing reads it, and nothing is gathered or scattered in between.

Momentum along the way that an agent goes together with its neighbours.

Under label skew an agent's own momentum keeps pulling towards its own data after the exchange.
Quasi-global momentum takes the difference of two rounds' parameters, exchange included, which
is closer to the way of all, and costs nothing to send:

    θ ← θ + γ · (lr_t / lr_{t−1}) · (θ_t − θ_{t−1})    before the local steps of round t

The pull towards the neighbours is carried on as well, which speeds gossip up as second-order
diffusion does (Muthukrishnan, Ghosh, Schultz, 1998).

Like that, it is stable only where every eigenvalue μ of W is above −1/(1 + 2γ): −0.385 for
γ = 0.8.  (The mode of μ follows z² − μ(1 + γ)z + μγ = 0, which leaves the unit circle at z = −1.)
Rings stay above −1/3; a chordal ring of 10 goes down to −0.6, and its agents drift apart.

Paper: "Quasi-Global Momentum: Accelerating Decentralized Deep Learning on Heterogeneous Data",
Lin, Karimireddy, Stich, Jaggi, ICML 2021; here with the local optimizer's own preconditioning
inside the difference, and without a running mean.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

import torch
from torch import Tensor, nn

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import Branch


@dataclass(frozen=True)
class ParamSlice:
    """Where a parameter lies in a row: its name inside the component, shape and offset."""

    name: str
    shape: tuple[int, ...]
    offset: int

    @property
    def width(self) -> int:
        """Number of entries."""
        return prod(self.shape)

    @property
    def slice(self) -> slice:
        """The parameter's columns."""
        return slice(self.offset, self.offset + self.width)


def param_slices(component: nn.Module) -> tuple[ParamSlice, ...]:
    """The layout of a row: the component's trainable parameters one after another."""
    columns: list[ParamSlice] = []
    offset = 0
    for name, value in component.named_parameters():
        if value.requires_grad:
            columns.append(ParamSlice(name, tuple(value.shape), offset))
            offset += value.numel()
    return tuple(columns)


def flatten(component: nn.Module, columns: Sequence[ParamSlice]) -> Tensor:
    """The component's trainable parameters as one row, shape=(P,)."""
    values = dict(component.named_parameters())
    parts = [values[column.name].detach().reshape(-1) for column in columns]
    return torch.cat(parts) if parts else torch.zeros(0)


@dataclass(frozen=True)
class StateBlock:
    """Views of h rows of a branch that are trained together; each shape=(h, P) but ``steps``."""

    branch: Branch
    params: Tensor
    gradient: Tensor
    steps: Tensor  # shape=(h,), dtype=int64
    moments: Mapping[str, Tensor]

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All of them, in the order in which :meth:`map` goes through them."""
        return self.params, self.gradient, self.steps, *self.moments.values()

    def map(self, change: Callable[[Tensor], Tensor]) -> StateBlock:
        """A block of every tensor changed."""
        theta, gradient, steps = change(self.params), change(self.gradient), change(self.steps)
        moments = {name: change(value) for name, value in self.moments.items()}
        return StateBlock(self.branch, theta, gradient, steps, moments)

    def rows(self, chosen: slice) -> StateBlock:
        """Views of some of the rows."""
        return self.map(lambda values: values[chosen])


@dataclass
class BranchState:
    """The state of one branch over all its owners: n rows, P columns.

    ``moments`` and ``steps`` belong to the optimizer, ``memory`` to the exchange rule; ``before``
    and ``stage_start`` are snapshots that some exchange rules ask for, ``progress`` the share of
    all rounds that have begun.
    """

    branch: Branch
    agents: list[AgentSpec]
    columns: tuple[ParamSlice, ...]
    params: Tensor  # shape=(n, P)
    gradient: Tensor  # shape=(h, P), of the h rows that are trained together
    steps: Tensor  # shape=(n,), dtype=int64
    moments: dict[str, Tensor] = field(default_factory=dict)  # each shape=(n, P)
    memory: dict[str, Tensor] = field(default_factory=dict)
    previous: Tensor | None = None  # shape=(n, P)
    stage_start: Tensor | None = None  # shape=(n, P)
    progress: float = 0.0

    @property
    def width(self) -> int:
        """Number of parameters P."""
        return self.params.shape[1]

    def block(self, rows: slice) -> StateBlock:
        """The views of ``rows``, which are trained together.

        Parts of a stack take turns in one place for gradients, which stays in the cache; only
        centralised training keeps all rows' gradients, each in its own place.
        """
        own_place = len(self.gradient) == len(self.params)
        return StateBlock(
            self.branch,
            self.params[rows],
            self.gradient[rows if own_place else slice(rows.stop - rows.start)],
            self.steps[rows],
            {name: value[rows] for name, value in self.moments.items()},
        )

    def row_state(self) -> dict[str, Tensor]:
        """Every tensor with a row per owner that an owner keeps when it moves or is absent."""
        state = {"theta": self.params, "steps": self.steps}
        state |= {f"moment.{name}": value for name, value in self.moments.items()}
        if self.stage_start is not None:
            state["stage_start"] = self.stage_start
        return state

    def tensors(self) -> dict[str, Tensor]:
        """All that a checkpoint must hold."""
        memory = {f"memory.{name}": value for name, value in self.memory.items()}
        return self.row_state() | memory

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what :meth:`tensors` gave; the matrices are written in place."""
        if "stage_start" in tensors:
            self.stage_start = torch.empty_like(self.params)
        for name, value in self.row_state().items():
            value.copy_(tensors[name])
        for name, value in tensors.items():
            if name.startswith("memory."):
                self.memory[name.removeprefix("memory.")] = value.to(self.params.device)


LAST = "last"
"""The name, among a branch's moments, of the parameters as the last round began."""


@torch.no_grad()
def add_quasi_global_momentum(rows: BranchState, share: float) -> None:
    """Move each row on by ``share`` of the way that it went since it was last here."""
    before = rows.moments[LAST]
    way = rows.params - before
    before.copy_(rows.params)
    rows.params.add_(way, alpha=share)


class RowsView:
    """Rows of agents that train in this process (:class:`~parse_dfl.methods.base.BranchView`)."""

    def __init__(self, rows: BranchState, branches: Mapping[Branch, BranchState]) -> None:
        self._rows, self._branches = rows, branches

    @property
    def agents(self) -> Sequence[AgentSpec]:
        """The owner of each row."""
        return self._rows.agents

    @property
    def params(self) -> Tensor:
        """Parameters after local training."""
        return self._rows.params

    @property
    def previous(self) -> Tensor:
        """Parameters as the round began."""
        assert self._rows.previous is not None, "the exchange rule must say that it needs_previous"
        return self._rows.previous

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
                norms = (rows.params - rows.stage_start).norm(dim=1)
                for agent, norm in zip(rows.agents, norms, strict=True):
                    lengths.setdefault((agent.seed, agent.name), {})[branch.modality] = norm
        own = [lengths[agent.seed, agent.name] for agent in self.agents]
        return torch.stack([torch.stack([row[name] for name in sorted(row)]) for row in own])


class PartialRows(ABC):
    """Own rows among others of which only what they sent will be known
    (:class:`~parse_dfl.methods.base.BranchView`): in a peer, and on one of several ranks.

    What a rule makes of the others' rows is thrown away.
    """

    agents: Sequence[AgentSpec]

    def __init__(self, rows: BranchState, branches: Mapping[Branch, BranchState]) -> None:
        self._own = RowsView(rows, branches)

    @abstractmethod
    def _among_others(self, own: Tensor) -> Tensor:
        """``own``, a row per own agent, with a row of anything for every other one."""

    @property
    def params(self) -> Tensor:
        """Parameters after local training."""
        return self._among_others(self._own.params)

    @property
    def previous(self) -> Tensor:
        """Parameters as the round began."""
        return self._among_others(self._own.previous)

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
