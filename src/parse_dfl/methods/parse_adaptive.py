"""PARSE that weighs each slice per sample: what holds up when a modality is noise.

Agents with several modalities keep every fourth of their samples from the slices, and learn
from these how far each slice is to be trusted (networks/gated.py): on the samples that a slice
was trained on, one that memorised noise looks as good as any other.  The few numbers of the
gates are branches, averaged among those who own the modality or pair together with others.

Learning to combine on held-out samples is stacking: "Stacked Generalization", Wolpert, Neural
Networks 5(2), 1992.  Weighting modalities is what the paper of PARSE leaves for future work
(arXiv 2601.10012).
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from parse_dfl.methods.method import Method, Stage
from parse_dfl.methods.options import AdaptiveOptions
from parse_dfl.methods.parse import parse_objective
from parse_dfl.methods.sharing import partial_alignment
from parse_dfl.networks.gated import GatedParseNetwork
from parse_dfl.networks.network import Outputs
from parse_dfl.objectives import Batch, Objective, cross_entropy


def adaptive_objective(options: AdaptiveOptions) -> Objective:
    """PARSE's loss on most samples, the gated prediction's cross-entropy on the others."""
    plain = parse_objective(options)

    def objective(outputs: Outputs, batch: Batch) -> Tensor:
        if len(outputs.modality_logits) < 2 or batch.number is None:
            return plain(outputs, batch)
        held = batch.number % options.hold_out == 0
        ungated = replace(outputs, logits=_sum(outputs))
        trained = plain(ungated, _only(batch, ~held))
        return trained + cross_entropy(outputs.logits, _only(batch, held))

    return objective


def _sum(outputs: Outputs) -> Tensor:
    return torch.stack(list(outputs.slice_logits.values())).sum(0)


def _only(batch: Batch, chosen: Tensor) -> Batch:
    """The batch with weights for the chosen samples alone, which add up to one if there are any."""
    weight = batch.weight * chosen
    total = weight.sum(1, keepdim=True)
    return replace(batch, weight=weight / total.clamp_min(torch.finfo(weight.dtype).tiny))


def parse_adaptive(options: AdaptiveOptions) -> Method:
    """PARSE with gates."""
    stage = Stage(objective=adaptive_objective(options), sharing=partial_alignment)
    return Method(name="parse-adaptive", network=GatedParseNetwork, stages=(stage,), lr=0.03)
