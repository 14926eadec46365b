"""How the weights of PARSE's slices are learned: from samples that the slices do not see.

On the samples that a slice was trained on, one that memorised noise looks as good as any other.
So every so many-th sample of an agent with several modalities is kept from its slices, and only
the gates (networks/gated.py) learn from these.  Learning to combine on held-out samples is
stacking: "Stacked Generalization", Wolpert, Neural Networks 5(2), 1992.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from parse_dfl.networks.losses import Batch, Objective, cross_entropy
from parse_dfl.networks.network import Outputs


def gated(plain: Objective, hold_out: int) -> Objective:
    """``plain`` of the slices on most samples, the weighted prediction's cross-entropy on every
    ``hold_out``-th."""

    def objective(outputs: Outputs, batch: Batch) -> Tensor:
        if len(outputs.modality_logits) < 2 or batch.number is None:
            return plain(outputs, batch)
        held = batch.number % hold_out == 0
        trained = plain(_summed(outputs), _only(batch, ~held))
        return trained + cross_entropy(outputs.logits, _only(batch, held))

    return objective


def ungated(plain: Objective) -> Objective:
    """``plain`` of the slices on all samples; the gates, which would trust what was memorised,
    stay as they are."""

    def objective(outputs: Outputs, batch: Batch) -> Tensor:
        several = len(outputs.modality_logits) > 1
        return plain(_summed(outputs) if several else outputs, batch)

    return objective


def _summed(outputs: Outputs) -> Outputs:
    """The outputs with the plain sum of the slices as the joint prediction."""
    return replace(outputs, logits=torch.stack(list(outputs.slice_logits.values())).sum(0))


def _only(batch: Batch, chosen: Tensor) -> Batch:
    """The batch with weights for the chosen samples alone, which add up to one if there are any."""
    weight = batch.weight * chosen
    total = weight.sum(1, keepdim=True)
    return replace(batch, weight=weight / total.clamp_min(torch.finfo(weight.dtype).tiny))
