"""Which agents have diverged: what they hold, or what it gives, is no number of use any more."""

from __future__ import annotations

import torch
from torch import Tensor

from parse_dfl.engine.agent_stack import AgentStack

LARGEST_LOSS = 1e4
"""A mean cross-entropy above this, in nats, is no prediction that is merely wrong: its logits have
grown by powers of ten, as they do shortly before they overflow."""


def diverged(stack: AgentStack, loss: Tensor) -> Tensor:
    """Whether each agent has diverged, shape=(n,), dtype=bool, on the CPU.

    It has where a parameter or an optimizer's moment is not finite, or the mean ``loss``,
    shape=(n,), is not finite (as it is where a logit is not) or above :data:`LARGEST_LOSS`.
    """
    found = ~(loss <= LARGEST_LOSS)
    for label, rows in stack.rows.items():
        block = stack.blocks[label]
        for value in (rows.params, *rows.moments.values()):
            found |= ~_is_finite(value[block]).to(found.device)
    return found.cpu()


def parameters_are_finite(stack: AgentStack) -> bool:
    """Whether all parameters of all agents are."""
    return all(bool(_is_finite(rows.params).all()) for rows in stack.rows.values())


def _is_finite(matrix: Tensor) -> Tensor:
    """Whether all entries of each row are: their largest, which costs no copy, tells."""
    if not matrix.shape[1]:
        return torch.ones(len(matrix), dtype=torch.bool, device=matrix.device)
    return torch.linalg.vector_norm(matrix, float("inf"), dim=1).isfinite()
