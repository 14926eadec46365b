"""Define decentralised SGD on the monolithic network: plain sharing rules, and gradient surgery.

Paper: "Can Decentralized Algorithms Outperform Centralized Algorithms? A Case Study for
Decentralized Parallel Stochastic Gradient Descent", Lian et al., NeurIPS 2017.
"""

from __future__ import annotations

import torch
from torch import Tensor

from parse_dfl.methods.base import (
    RULES,
    Aggregation,
    BranchView,
    Messages,
    Method,
    Stage,
    hybrid,
)
from parse_dfl.networks.baselines import MonolithicNetwork
from parse_dfl.networks.losses import joint_loss
from parse_dfl.overlays.mixing_matrix import MixingMatrix

LEARNING_RATES = {"local": 0.002, "dsgd-task": 0.02, "dsgd-modality": 0.02, "dsgd-hybrid": 0.03}
"""Tuned on validation data (studies/accuracy)."""


def dsgd(name: str) -> Method:
    """Build ``local``, ``dsgd-task``, ``dsgd-modality`` or ``dsgd-hybrid``."""
    stage = Stage(objective=joint_loss, sharing=RULES[name.removeprefix("dsgd-")])
    return Method(name=name, network=MonolithicNetwork, stages=(stage,), lr=LEARNING_RATES[name])


class ProjectConflicts(Aggregation):
    """A neighbour's update Δ_j with ⟨Δ_j, Δ_i⟩ < 0 loses its part along Δ_i before averaging.

    θ_i ← Σ_j W_ij (θ_j − c_ij Δ_i), c_ij = min(0, ⟨Δ_j, Δ_i⟩) / ‖Δ_i‖².  Parameters and updates
    both travel, so the payload is twice that of averaging.

    Paper: "Gradient Surgery for Multi-Task Learning" (PCGrad), Yu, Kumar, Gupta, Levine, Hausman,
    Finn, NeurIPS 2020, here on the updates of a round between neighbours.
    """

    needs_previous = True

    def numbers_sent(self, columns: int) -> int:
        """Return the numbers of parameters and update."""
        return 2 * columns

    def send(self, rows: BranchView, mixing: MixingMatrix) -> Messages:  # noqa: ARG002
        """Send the parameters and the round's update."""
        return {"theta": rows.params, "update": rows.params - rows.previous}

    def receive(self, rows: BranchView, sent: Messages, mixing: MixingMatrix) -> Tensor:  # noqa: ARG002
        """Average what is left of the neighbours after projection."""
        update = sent["update"]
        source, target, weight = mixing.edge_tensors(update)
        inner = (update[source] * update[target]).sum(1)
        length = update.square().sum(1).clamp_min(torch.finfo(update.dtype).tiny)
        conflict = weight * inner.clamp_max(0) / length[target]
        along = torch.zeros_like(length).index_add_(0, target, conflict)
        return mixing.apply(sent["theta"]) - along.unsqueeze(1) * update


def gradient_surgery() -> Method:
    """Build hybrid sharing with projected conflicts on every branch."""
    rule = ProjectConflicts()
    stage = Stage(
        objective=joint_loss,
        sharing=hybrid,
        exchanges={"encoder": rule, "fusion": rule, "head": rule},
    )
    return Method(name="gradient-surgery", network=MonolithicNetwork, stages=(stage,), lr=0.03)
