"""Fuse two synergistic slices into one: the fusion operators F.

Each maps s_a and s_b, both ``(…, B, D)``, to ``(…, B, D)``.  Which operator is best is one of
the paper's ablations (PARSE, arXiv 2601.10012).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from parse_dfl.errors import unknown
from parse_dfl.networks.layers import Linear


class Concat(nn.Module):
    """``relu(W [s_a | s_b] + b)``."""

    supports_agent_axis = True

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = Linear(2 * width, width)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Fuse two slices."""
        return self.mix(torch.cat([first, second], -1)).relu()


class Sum(nn.Module):
    """``relu(s_a + s_b)``: no parameters of its own."""

    supports_agent_axis = True

    def __init__(self, width: int) -> None:  # noqa: ARG002 - every operator is built alike
        super().__init__()

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Fuse two slices."""
        return (first + second).relu()


class Product(nn.Module):
    """Low-rank bilinear: ``(U s_a) * (V s_b)`` (Kim et al., ICLR 2017)."""

    supports_agent_axis = True

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = Linear(width, width)
        self.second = Linear(width, width)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Fuse two slices."""
        return self.first(first) * self.second(second)


class Gated(nn.Module):
    """``g * tanh(s_a) + (1 - g) * tanh(s_b)``, g from both (Arevalo et al., ICLR-W 2017)."""

    supports_agent_axis = True

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gate = Linear(2 * width, width)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Fuse two slices."""
        gate = torch.sigmoid(self.gate(torch.cat([first, second], -1)))
        return gate * first.tanh() + (1 - gate) * second.tanh()


class Attention(nn.Module):
    """Cross-attention over features: each slice reads the other, token by token.

    A slice of width D is read as ``tokens`` tokens; a query of one attends to the other's keys
    and values, both ways, and the two readings are added to the slices' sum.
    """

    supports_agent_axis = True

    def __init__(self, width: int) -> None:
        super().__init__()
        self.tokens = max(t for t in (4, 2, 1) if width % t == 0)
        self.query = Linear(width, width)
        self.key = Linear(width, width)
        self.value = Linear(width, width)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Fuse two slices."""
        both = first + second + self._read(first, second) + self._read(second, first)
        return both.relu()

    def _read(self, reader: Tensor, read: Tensor) -> Tensor:
        query, key, value = (
            part.unflatten(-1, (self.tokens, -1))
            for part in (self.query(reader), self.key(read), self.value(read))
        )
        scores = (query @ key.transpose(-1, -2)) / key.shape[-1] ** 0.5
        return (scores.softmax(-1) @ value).flatten(-2)


FUSION_OPERATORS: Mapping[str, Callable[[int], nn.Module]] = {
    "concat": Concat,
    "sum": Sum,
    "product": Product,
    "gated": Gated,
    "attention": Attention,
}


def fusion_operator(name: str, width: int) -> nn.Module:
    """Build the operator called ``name`` for slices of ``width``.

    Raises:
        ConfigError: no operator has this name.
    """
    check_fusion(name)
    return FUSION_OPERATORS[name](width)


def check_fusion(name: str) -> None:
    """Refuse an unknown fusion operator, also where no agent would build it.

    Raises:
        ConfigError: the name is unknown.
    """
    if name not in FUSION_OPERATORS:
        raise unknown("fusion operator", name, FUSION_OPERATORS)
