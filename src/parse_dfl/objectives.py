"""Losses over the rows of a cohort: each returns one value per row, shape=(n,).

Dimension letters: n rows (agents of a cohort), B batch, C classes, D slice width.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from parse_dfl.networks.network import Outputs
from parse_dfl.written_out import adjusted_cross_entropy, symmetric_contrast


@dataclass(frozen=True)
class Batch:
    """The labels of a cohort's minibatch.

    ``weight`` is 1/b for a row's b samples and 0 for padding, so that a weighted sum over B is
    the row's mean.  ``log_prior`` is the local label prior's logarithm times the strength of the
    correction (zero: none).  ``number`` tells an agent's samples apart: from 0 to its sample count.
    """

    label: Tensor  # shape=(n, B), dtype=int64
    weight: Tensor  # shape=(n, B)
    log_prior: Tensor  # shape=(n, C)
    number: Tensor | None = None  # shape=(n, B), dtype=int64

    def rows(self, chosen: Tensor) -> Batch:
        """The batch of the chosen rows alone."""
        number = None if self.number is None else self.number[chosen]
        return Batch(self.label[chosen], self.weight[chosen], self.log_prior[chosen], number)


Objective = Callable[[Outputs, Batch], Tensor]
"""From outputs and batch to a loss per row, shape=(n,)."""


def cross_entropy(logits: Tensor, batch: Batch) -> Tensor:
    """Mean cross-entropy of ``logits`` (n, B, C) under logit adjustment.

    log softmax(ℓ + τ log π), π the row's own label frequencies: training under label skew no
    longer teaches the skew (Menon et al., "Long-tail learning via logit adjustment", ICLR 2021).
    """
    return adjusted_cross_entropy(logits, batch.label, batch.weight, batch.log_prior)


def supervised_contrastive(
    first: Tensor, second: Tensor, batch: Batch, temperature: float
) -> Tensor:
    """Supervised contrastive loss between two modalities' slices, both (n, B, D), both ways.

    A sample's positives are the other modality's samples of the same class, itself included
    (Khosla et al., NeurIPS 2020).
    """
    real = batch.weight > 0
    same = (batch.label.unsqueeze(2) == batch.label.unsqueeze(1)) & real.unsqueeze(1)
    positives = same.to(batch.weight.dtype)
    share = batch.weight.unsqueeze(2) / positives.sum(-1, keepdim=True).clamp_min_(1)
    return symmetric_contrast(first, second, positives.mul_(share), real, temperature)


def nats(mean: Tensor, batch: Batch) -> Tensor:
    """½‖μ‖² of ``mean`` (n, B, D), averaged over the batch: KL(N(μ, I) ‖ N(0, I)), the most that a
    channel of unit noise can carry."""
    return (0.5 * mean.square().sum(-1) * batch.weight).sum(1)


def shared_variation(first: Tensor, second: Tensor, batch: Batch) -> Tensor:
    """‖Cov(first, second)‖² of slices (n, B, D) and (n, B, E), estimated without bias.

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
    """Cross-entropy of the joint prediction: the objective of every monolithic rival."""
    return cross_entropy(outputs.logits, batch)


def modality_loss(outputs: Outputs, batch: Batch) -> Tensor:
    """The sum of each modality's own cross-entropy."""
    losses = [cross_entropy(logits, batch) for logits in outputs.modality_logits.values()]
    return torch.stack(losses).sum(0)
