"""Hold the state of a branch: a matrix with a row per owner and a column per parameter.

Rows are ordered by stack, so that a stack's parameters are views of a block of rows: training
writes into the matrix and mixing reads it, and nothing is gathered or scattered in between.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

import torch
from torch import Tensor, nn

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import Branch


@dataclass(frozen=True)
class ParamSlice:
    """A parameter's columns in a row: its name inside the component, shape and offset."""

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
    """Lay out a row: the component's trainable parameters one after another."""
    columns: list[ParamSlice] = []
    offset = 0
    for name, value in component.named_parameters():
        if value.requires_grad:
            columns.append(ParamSlice(name, tuple(value.shape), offset))
            offset += value.numel()
    return tuple(columns)


def flatten(component: nn.Module, columns: Sequence[ParamSlice]) -> Tensor:
    """Return the component's trainable parameters as one row, shape=(P,)."""
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
        """Return a block with every tensor changed."""
        theta, gradient, steps = change(self.params), change(self.gradient), change(self.steps)
        moments = {name: change(value) for name, value in self.moments.items()}
        return StateBlock(self.branch, theta, gradient, steps, moments)

    def rows(self, chosen: slice) -> StateBlock:
        """Return views of some of the rows."""
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
        """Return the views of ``rows``, which are trained together.

        Parts of a stack take turns in one place for gradients, which stays in the cache; only
        centralised training keeps all rows' gradients, each in its own place.
        """
        keeps_all = len(self.gradient) == len(self.params)
        return StateBlock(
            self.branch,
            self.params[rows],
            self.gradient[rows if keeps_all else slice(rows.stop - rows.start)],
            self.steps[rows],
            {name: value[rows] for name, value in self.moments.items()},
        )

    def row_state(self) -> dict[str, Tensor]:
        """Return every tensor of which an owner keeps its row when it moves or is absent."""
        state = {"theta": self.params, "steps": self.steps}
        state |= {f"moment.{name}": value for name, value in self.moments.items()}
        if self.stage_start is not None:
            state["stage_start"] = self.stage_start
        return state

    def tensors(self) -> dict[str, Tensor]:
        """Return all tensors that a checkpoint must hold."""
        memory = {f"memory.{name}": value for name, value in self.memory.items()}
        return self.row_state() | memory

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore what :meth:`tensors` returned; the matrices are written in place."""
        if "stage_start" in tensors:
            self.stage_start = torch.empty_like(self.params)
        for name, value in self.row_state().items():
            value.copy_(tensors[name])
        for name, value in tensors.items():
            if name.startswith("memory."):
                self.memory[name.removeprefix("memory.")] = value.to(self.params.device)
