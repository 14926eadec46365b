"""Two losses with their gradients written out: one node of autograd's graph instead of dozens.

With small networks a step's time is that of its many small operations, and half of them were the
losses' own.  Dimension letters as in :mod:`parse_dfl.objectives`, whose functions these serve.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

TINY = 1e-12
"""The least length that a vector is divided by, as in ``torch.nn.functional.normalize``."""
NOWHERE = -1e30
"""The score of padding: no share of any softmax, and finite, so that no zero times it is NaN."""


def adjusted_cross_entropy(
    logits: Tensor, label: Tensor, weight: Tensor, log_prior: Tensor
) -> Tensor:
    """Σ_b weight_b · −log softmax(ℓ_b + log π)[label_b], shape=(n,).

    The gradient is weight_b · (softmax − one-hot).
    """
    found: Tensor = _CrossEntropy.apply(logits, label, weight, log_prior)  # type: ignore[no-untyped-call]
    return found


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, label: Tensor, weight: Tensor, prior: Tensor) -> Tensor:
        log_share = torch.log_softmax(logits + prior.unsqueeze(1), -1)
        own = log_share.gather(2, label.unsqueeze(2))
        loss = (own.squeeze(2) * weight).sum(1).neg_()
        if ctx.needs_input_grad[0]:
            gradient = log_share.exp_().scatter_(2, label.unsqueeze(2), own.expm1_())
            ctx.save_for_backward(gradient.mul_(weight.unsqueeze(2)))
        return loss

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return gradient * gradients[0].view(-1, 1, 1), None, None, None


def symmetric_contrast(
    first: Tensor, second: Tensor, target: Tensor, real: Tensor, temperature: float
) -> Tensor:
    """−½ Σ_ij t_ij (log softmax_j s_ij + log softmax_j s_ji), shape=(n,).

    s_ij is the cosine of ``first``'s sample i and ``second``'s sample j over the temperature;
    ``target`` t, shape=(n, B, B), is zero in all that is not ``real``, shape=(n, B).  With
    w_i = Σ_j t_ij the gradient of s is
    ½ (w_i softmax_j s_ij + w_j softmax_i s_ij − t_ij − t_ji).
    """
    found: Tensor = _Contrast.apply(first, second, target, real, temperature)  # type: ignore[no-untyped-call]
    return found


class _Contrast(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, first: Tensor, second: Tensor, target: Tensor, real: Tensor, temperature: float
    ) -> Tensor:
        lengths = [x.norm(dim=-1, keepdim=True).clamp_min_(TINY) for x in (first, second)]
        one, other = (x / length for x, length in zip((first, second), lengths, strict=True))
        score = torch.bmm(one, other.mT).div_(temperature)
        padding = ~real
        along = score.masked_fill(padding.unsqueeze(1), NOWHERE).log_softmax(2)
        across = score.masked_fill_(padding.unsqueeze(2), NOWHERE).log_softmax(1)
        both = target + target.mT
        loss = (target * along + target.mT * across).sum((1, 2)).mul_(-0.5)
        if ctx.needs_input_grad[0] or ctx.needs_input_grad[1]:
            weight = target.sum(2, keepdim=True)
            change = along.exp_().mul_(weight).addcmul_(across.exp_(), weight.mT).sub_(both)
            change.mul_(0.5 / temperature)
            of_one, of_other = torch.bmm(change, other), torch.bmm(change.mT, one)
            ctx.save_for_backward(
                _through_length(of_one, one, lengths[0]),
                _through_length(of_other, other, lengths[1]),
            )
        return loss

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        of_loss = gradients[0].view(-1, 1, 1)
        first, second = ctx.saved_tensors
        return first * of_loss, second * of_loss, None, None, None


def _through_length(gradient: Tensor, unit: Tensor, length: Tensor) -> Tensor:
    """The gradient of x from that of x / ‖x‖: what points along x drops out."""
    along = (gradient * unit).sum(-1, keepdim=True)
    return gradient.addcmul_(unit, along, value=-1).div_(length)
