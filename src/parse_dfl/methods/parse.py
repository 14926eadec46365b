"""Define PARSE: feature fission into slices, exchanged branch by branch among their owners.

An agent with several modalities weighs its slices (networks/parse.py), so that a weak modality,
whose head memorised its samples and is sure of itself, does not drown a clear one.  How far each
slice is to be trusted is learned from some of the agent's own samples that the slices do not see
until the gates are learned (methods/parse.py).

Unimodal agents never touch a synergistic parameter, and no gradient is operated on: each branch
is averaged on its own overlay.

Paper: "PID-Guided Partial Alignment for Multimodal Decentralized Federated Learning", Shi, Wang,
Cao, Li, Liu, arXiv 2601.10012 (2026).
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import torch
from torch import Tensor

from parse_dfl.config.methods import ParseAdaptive, ParseOptions
from parse_dfl.methods.base import Method, SharingRule, Stage, nothing, partial_alignment
from parse_dfl.networks.losses import (
    Batch,
    Objective,
    cross_entropy,
    modality_loss,
    supervised_contrastive,
)
from parse_dfl.networks.network import Outputs
from parse_dfl.networks.parse import GatedParseNetwork, ParseNetwork


def parse_objective(options: ParseOptions) -> Objective:
    """Return PARSE's loss, CE(ℓ) + w_m Σ_m CE(ℓ_m) + w_h Σ_e CE(ℓ_e) + w_c mean supcon(r_a, r_b).

    ℓ is the sum over all slices e, ℓ_m what modality m says alone; the w are the ``options``'.
    """

    def objective(outputs: Outputs, batch: Batch) -> Tensor:
        loss = cross_entropy(outputs.logits, batch)
        if options.head_weight:
            heads = [cross_entropy(logits, batch) for logits in outputs.slice_logits.values()]
            loss = loss + options.head_weight * torch.stack(heads).sum(0)
        if len(outputs.modality_logits) < 2:
            return loss
        if options.modality_weight:
            loss = loss + options.modality_weight * modality_loss(outputs, batch)
        if options.contrastive_weight:
            loss = loss + options.contrastive_weight * _contrastive(outputs, batch, options)
        return loss

    return objective


def _contrastive(outputs: Outputs, batch: Batch, options: ParseOptions) -> Tensor:
    """Return the mean supervised contrastive loss over pairs of redundant slices, shape=(n,)."""
    redundant = [value for name, value in outputs.slices.items() if name.startswith("redundant.")]
    if redundant[0].shape[-1] == 0:
        return torch.zeros_like(batch.weight[:, 0])
    losses = [
        supervised_contrastive(first, second, batch, options.temperature)
        for first, second in combinations(redundant, 2)
    ]
    return torch.stack(losses).mean(0)


def gated(plain: Objective, hold_out: int) -> Objective:
    """Return ``plain`` of the slices on most samples; on every ``hold_out``-th the cross-entropy
    of the weighted prediction.

    On the samples that a slice was trained on, one that memorised noise looks as good as any other.
    So every so many-th sample is kept from the slices, and only the gates learn from these.
    Learning to combine on held-out samples is stacking: "Stacked Generalization", Wolpert, Neural
    Networks 5(2), 1992.
    """

    def objective(outputs: Outputs, batch: Batch) -> Tensor:
        if len(outputs.modality_logits) < 2 or batch.number is None:
            return plain(outputs, batch)
        held = batch.number % hold_out == 0
        trained = plain(_summed(outputs), _only(batch, ~held))
        return trained + cross_entropy(outputs.logits, _only(batch, held))

    return objective


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


def parse_method(
    options: ParseOptions, *, name: str = "parse", sharing: SharingRule = partial_alignment
) -> Method:
    """Build PARSE; with another ``sharing`` rule, the control that tells the network's gain
    from the sharing's."""
    plain = parse_objective(options)
    if not options.hold_out:
        stage = Stage(objective=plain, sharing=sharing)
        return Method(name=name, network=ParseNetwork, stages=(stage,), lr=0.03)
    fraction = options.gate_share
    stages = [Stage(objective=gated(plain, options.hold_out), sharing=sharing, fraction=fraction)]
    if fraction < 1:
        stages.append(
            Stage(objective=ungated(plain), sharing=sharing, fraction=1 - fraction, continues=True)
        )
    return Method(name=name, network=GatedParseNetwork, stages=tuple(stages), lr=0.03)


def parse_adaptive(options: ParseAdaptive) -> Method:
    """Build PARSE with gates that learn to the end, on samples that are never given to the slices.

    Weighting modalities is what the paper leaves for future work.
    """
    return parse_method(options, name="parse-adaptive")


def oracle(options: ParseOptions) -> Method:
    """Build the upper bound: PARSE's network trained centrally on all agents' samples.

    Agents of one modality set are merged, so that every sample is seen with exactly the modalities
    that its agent had; gradients are averaged over all rows of a branch at every step, which keeps
    the rows equal: centralised training in the engine of decentralised training.
    """
    return replace(parse_method(options, name="oracle", sharing=nothing), lr=0.01, centralised=True)
