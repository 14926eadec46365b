"""Learn the weights of PARSE's slices from samples that the slices do not see.

On the samples that a slice was trained on, one that memorised noise looks as good as any other.
So every so many-th sample of an agent with several modalities is kept from its slices, and only
the gates (networks/parse.py) learn from these.  Learning to combine on held-out samples is
stacking: "Stacked Generalization", Wolpert, Neural Networks 5(2), 1992.

The joint prediction alone teaches too little: once a clear slice answers every held-out sample, a
weak slice's weight no longer matters to it, and stays high enough to outvote the clear one on a few
samples in a thousand.  So every weighted slice is calibrated by itself as well:
"On Calibration of Modern Neural Networks", Guo, Pleiss, Sun, Weinberger, ICML 2017.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from parse_dfl.networks.losses import Batch, Objective, cross_entropy
from parse_dfl.networks.network import Outputs
from parse_dfl.networks.parse import GatedOutputs


def gated(plain: Objective, hold_out: int) -> Objective:
    """Return ``plain`` of the slices on most samples; on every ``hold_out``-th the cross-entropy
    of the weighted prediction, and of each weighted slice by itself."""

    def objective(outputs: Outputs, batch: Batch) -> Tensor:
        if len(outputs.modality_logits) < 2 or batch.number is None:
            return plain(outputs, batch)
        held = batch.number % hold_out == 0
        trained = plain(_summed(outputs), _only(batch, ~held))
        return trained + _of_gates(outputs, _only(batch, held))

    return objective


def _of_gates(outputs: Outputs, batch: Batch) -> Tensor:
    """Return the cross-entropy of the weighted sum plus those of the weighted slices, shape=(n,).

    They are taken at once, as a batch of all predictions one after another.
    """
    assert isinstance(outputs, GatedOutputs)
    predictions = [outputs.logits, *outputs.weighted.values()]
    repeats = 1, len(predictions)
    every = replace(
        batch, label=batch.label.repeat(repeats), weight=batch.weight.repeat(repeats), number=None
    )
    return cross_entropy(torch.cat(predictions, -2), every)


def ungated(plain: Objective) -> Objective:
    """Return ``plain`` of the slices on all samples; the gates, which would trust what was
    memorised, stay as they are."""

    def objective(outputs: Outputs, batch: Batch) -> Tensor:
        several = len(outputs.modality_logits) > 1
        return plain(_summed(outputs) if several else outputs, batch)

    return objective


def _summed(outputs: Outputs) -> Outputs:
    """Return the outputs with the plain sum of the slices as the joint prediction."""
    return replace(outputs, logits=torch.stack(list(outputs.slice_logits.values())).sum(0))


def _only(batch: Batch, chosen: Tensor) -> Batch:
    """Return the batch with weights for the ``chosen`` samples alone, which add up to one if there
    are any."""
    weight = batch.weight * chosen
    total = weight.sum(1, keepdim=True)
    return replace(batch, weight=weight / total.clamp_min(torch.finfo(weight.dtype).tiny))
