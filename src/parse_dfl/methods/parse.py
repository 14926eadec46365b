"""PARSE: feature fission into slices, exchanged branch by branch among those who own them.

An agent with several modalities weighs its slices (networks/parse.py), so that a weak modality,
whose head memorised its samples and is sure of itself, does not drown a clear one.  How far each
slice is to be trusted is learned from some of the agent's own samples that the slices do not see
until the gates are learned (methods/gating.py).

Unimodal agents never touch a synergistic parameter, and no gradient is operated on: each branch
is averaged on its own overlay.

Paper: "PID-Guided Partial Alignment for Multimodal Decentralized Federated Learning", Shi, Wang,
Cao, Li, Liu, arXiv 2601.10012 (2026).
"""

from __future__ import annotations

import torch
from torch import Tensor

from parse_dfl.config.methods import ParseOptions
from parse_dfl.methods.base import Method, SharingRule, Stage, partial_alignment
from parse_dfl.methods.gating import gated, ungated
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
    """The loss of PARSE (spec, part 4) with the given weights."""

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
    """The mean supervised contrastive loss over pairs of redundant slices."""
    redundant = [value for name, value in outputs.slices.items() if name.startswith("redundant.")]
    if redundant[0].shape[-1] == 0:
        return torch.zeros_like(batch.weight[:, 0])
    losses = [
        supervised_contrastive(first, second, batch, options.temperature)
        for index, first in enumerate(redundant)
        for second in redundant[index + 1 :]
    ]
    return torch.stack(losses).mean(0)


def parse_method(
    options: ParseOptions, *, name: str = "parse", sharing: SharingRule = partial_alignment
) -> Method:
    """PARSE; with another ``sharing`` rule, the control that tells the network's gain from
    the sharing's."""
    plain = parse_objective(options)
    if not options.hold_out:
        stage = Stage(objective=plain, sharing=sharing)
        return Method(name=name, network=ParseNetwork, stages=(stage,), lr=0.03)
    share = options.gate_share
    stages = [Stage(objective=gated(plain, options.hold_out), sharing=sharing, share=share)]
    if share < 1:
        stages.append(
            Stage(objective=ungated(plain), sharing=sharing, share=1 - share, continues=True)
        )
    return Method(name=name, network=GatedParseNetwork, stages=tuple(stages), lr=0.03)
