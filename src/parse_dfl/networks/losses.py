"""Compute losses over the rows of a stack: each returns one value per row, shape=(n,).

The two common ones bring their gradients written out: with small networks a step's time is that of
its many small operations, and half of them were the losses' own.

Dimension letters: n rows (agents of a stack), B batch, C classes, D slice width.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from parse_dfl.networks.network import Outputs

TINY = 1e-12
"""The least length that a vector is divided by, as in ``torch.nn.functional.normalize``."""
NOWHERE = -1e30
"""The score of padding: no share of any softmax, and finite, so that no zero times it is NaN."""


def adjusted_cross_entropy(
    logits: Tensor, label: Tensor, weight: Tensor, log_prior: Tensor
) -> Tensor:
    """Return Σ_b weight_b · −log softmax(ℓ_b + log π)[label_b], shape=(n,).

    The gradient is weight_b · (softmax − one-hot).
    """
    loss: Tensor = _CrossEntropy.apply(logits, label, weight, log_prior)  # type: ignore[no-untyped-call]
    return loss


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, label: Tensor, weight: Tensor, prior: Tensor) -> Tensor:
        log_share = torch.log_softmax(logits + prior.unsqueeze(1), -1)
        of_label = log_share.gather(2, label.unsqueeze(2))
        loss = (of_label.squeeze(2) * weight).sum(1).neg_()
        if ctx.needs_input_grad[0]:
            gradient = log_share.exp_().scatter_(2, label.unsqueeze(2), of_label.expm1_())
            ctx.save_for_backward(gradient.mul_(weight.unsqueeze(2)))
        return loss

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return gradient * gradients[0].view(-1, 1, 1), None, None, None


def symmetric_contrast(
    first: Tensor, second: Tensor, target: Tensor, real: Tensor, temperature: float
) -> Tensor:
    """Return −½ Σ_ij t_ij (log softmax_j s_ij + log softmax_j s_ji), shape=(n,).

    s_ij is the cosine of ``first``'s sample i and ``second``'s sample j over the temperature;
    ``target`` t, shape=(n, B, B), is zero in all that is not ``real``, shape=(n, B).  With
    w_i = Σ_j t_ij the gradient of s is
    ½ (w_i softmax_j s_ij + w_j softmax_i s_ij − t_ij − t_ji).
    """
    loss: Tensor = _Contrast.apply(first, second, target, real, temperature)  # type: ignore[no-untyped-call]
    return loss


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
    """Return the gradient of x from that of x / ‖x‖: what points along x drops out."""
    along = (gradient * unit).sum(-1, keepdim=True)
    return gradient.addcmul_(unit, along, value=-1).div_(length)


@dataclass(frozen=True)
class Batch:
    """The labels of a stack's minibatch.

    ``weight`` is 1/b for a row's b samples and 0 for padding, so that a weighted sum over B is
    the row's mean.  ``log_prior`` is the local label prior's logarithm times the strength of the
    correction (zero: none).  ``number`` tells an agent's samples apart: from 0 to its sample count.
    """

    label: Tensor  # shape=(n, B), dtype=int64
    weight: Tensor  # shape=(n, B)
    log_prior: Tensor  # shape=(n, C)
    number: Tensor | None = None  # shape=(n, B), dtype=int64

    def rows(self, chosen: Tensor) -> Batch:
        """Return the batch of the chosen rows alone."""
        number = None if self.number is None else self.number[chosen]
        return Batch(self.label[chosen], self.weight[chosen], self.log_prior[chosen], number)


Objective = Callable[[Outputs, Batch], Tensor]
"""From outputs and batch to a loss per row, shape=(n,)."""


def cross_entropy(logits: Tensor, batch: Batch) -> Tensor:
    """Return the mean cross-entropy of ``logits`` (n, B, C) under logit adjustment.

    log softmax(ℓ + τ log π), π the row's own label frequencies: training under label skew no
    longer teaches the skew (Menon et al., "Long-tail learning via logit adjustment", ICLR 2021).
    """
    return adjusted_cross_entropy(logits, batch.label, batch.weight, batch.log_prior)


def supervised_contrastive(
    first: Tensor, second: Tensor, batch: Batch, temperature: float
) -> Tensor:
    """Return the supervised contrastive loss of two modalities' slices (n, B, D), both ways.

    A sample's positives are the other modality's samples of the same class, itself included
    (Khosla et al., NeurIPS 2020).
    """
    real = batch.weight > 0
    same = (batch.label.unsqueeze(2) == batch.label.unsqueeze(1)) & real.unsqueeze(1)
    positives = same.to(batch.weight.dtype)
    share = batch.weight.unsqueeze(2) / positives.sum(-1, keepdim=True).clamp_min_(1)
    return symmetric_contrast(first, second, positives.mul_(share), real, temperature)


def gaussian_kl(mean: Tensor, batch: Batch) -> Tensor:
    """Return KL(N(μ, I) ‖ N(0, I)) = ½‖μ‖² of ``mean`` (n, B, D), averaged over the batch: the most
    nats that a channel of unit noise can carry."""
    return (0.5 * mean.square().sum(-1) * batch.weight).sum(1)


def shared_variation(first: Tensor, second: Tensor, batch: Batch) -> Tensor:
    """Return ‖Cov(first, second)‖² of slices (n, B, D) and (n, B, E), estimated without bias.

    The squared norm of a batch's cross-covariance is above zero even for independent slices and
    would charge them for their mere size; what a sample contributes with itself is left out
    (Song et al., "Feature Selection via Dependence Maximization", JMLR 2012).
    """
    weight = batch.weight
    one, other = (
        (values - (values * weight.unsqueeze(-1)).sum(1, keepdim=True))
        * weight.sqrt().unsqueeze(-1)
        for values in (first, second)
    )
    everything = (one.transpose(1, 2) @ other).square().sum((1, 2))
    itself = (one.square().sum(-1) * other.square().sum(-1)).sum(1)
    return (everything - itself) / (1 - weight.square().sum(1)).clamp_min(0.5)


def joint_loss(outputs: Outputs, batch: Batch) -> Tensor:
    """Return the cross-entropy of the joint prediction: the objective of every monolithic rival."""
    return cross_entropy(outputs.logits, batch)


def modality_loss(outputs: Outputs, batch: Batch) -> Tensor:
    """Return the sum of each modality's own cross-entropy."""
    losses = [cross_entropy(logits, batch) for logits in outputs.modality_logits.values()]
    return torch.stack(losses).sum(0)
