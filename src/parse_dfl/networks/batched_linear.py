"""The product of every row's batch with its own weights, and its gradients.

Dimension letters: n rows, B batch, I inputs, O outputs.  The three products of a linear layer are
batched over rows by hand, each in the order of operands that measured fastest on CPU: autograd's
own order reads narrow outputs (a head's classes) three times slower and leaves the weights'
gradient transposed, which costs another pass.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

NARROW = 16
"""Outputs below this number are computed transposed: O is then no inner loop of the product."""


def batched_linear(input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Row by row ``x Wᵀ + b``: (n, B, I), (n, O, I) and (n, O) to (n, B, O)."""
    autocast = torch.is_autocast_enabled(input.device.type)  # it casts operands and gradients
    if autocast or not torch.is_grad_enabled():
        return _forward(input, weight, bias)
    output: Tensor = _RowProduct.apply(input, weight, bias)  # type: ignore[no-untyped-call]
    return output


def _forward(input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if weight.shape[1] < NARROW:
        return _narrow(input, weight, bias)
    if bias is None:
        return torch.bmm(input, weight.mT)
    return torch.baddbmm(bias.unsqueeze(1), input, weight.mT)


def _narrow(input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if bias is None:
        return torch.bmm(weight, input.mT).mT.contiguous()
    return torch.baddbmm(bias.unsqueeze(2), weight, input.mT).mT.contiguous()


class _RowProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(input, weight)
        return _forward(input, weight, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (output,) = gradients
        input, weight = ctx.saved_tensors
        of_input, of_weight, of_bias = ctx.needs_input_grad
        return (
            torch.bmm(output, weight) if of_input else None,
            torch.bmm(output.mT, input) if of_weight else None,
            output.sum(1) if of_bias else None,
        )
