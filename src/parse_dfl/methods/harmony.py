"""Define Harmony: modality-wise federated learning first, federated fusion second.

Stage 1 trains one network per modality among all its owners.  In stage 2 multimodal agents
train a fusion head, fine-tune their encoders at a lower rate without exchanging them, and
average heads with the neighbours whose encoders drifted alike; the original clusters agents by
this drift on a server.  Unimodal agents carry on with each other, so that no method has fewer
rounds than another.

Paper: "Harmony: Heterogeneous Multi-Modal Federated Learning through Disentangled Model
Training", Ouyang et al., MobiSys 2023.
"""

from __future__ import annotations

import torch
from torch import Tensor

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import Branch
from parse_dfl.config.methods import Harmony
from parse_dfl.methods.base import Aggregation, BranchView, Messages, Method, Stage
from parse_dfl.networks.baselines import LateFusionNetwork, mean_logits
from parse_dfl.networks.losses import joint_loss, modality_loss
from parse_dfl.networks.network import Outputs
from parse_dfl.overlays.mixing_matrix import MixingMatrix


class AverageAlike(Aggregation):
    """Average with the neighbours whose encoders drifted alike; others' weight goes to self.

    The drift of an agent's encoders since the stage began, one number per modality, is divided
    by their sum: a profile of which modality its data pull on.  It travels with the head.
    """

    def __init__(self, tau: float) -> None:
        self.tau = tau

    def send(self, rows: BranchView, mixing: MixingMatrix) -> Messages:  # noqa: ARG002
        """Send the head and the agent's drift profile."""
        drift = rows.drift("encoder")
        total = drift.sum(1, keepdim=True)
        even = torch.full_like(drift, 1 / drift.shape[1])
        return {"theta": rows.params, "drift": torch.where(total > 0, drift / total, even)}

    def receive(self, rows: BranchView, sent: Messages, mixing: MixingMatrix) -> Tensor:  # noqa: ARG002
        """Average over the edges whose ends differ by less than τ."""
        drift = sent["drift"]
        source, target, _ = mixing.edge_tensors(drift)
        alike = (drift[source] - drift[target]).abs().amax(1) < self.tau
        return mixing.select_edges(alike.cpu().numpy()).apply(sent["theta"])


def _first_rule(branch: Branch, agent: AgentSpec) -> str | None:  # noqa: ARG001
    return None if branch.component == "fusion" else branch.modality


def _second_rule(branch: Branch, agent: AgentSpec) -> str | None:
    if len(agent.modalities) == 1:
        return f"{branch.modality}:alone"
    return branch.modality if branch.component == "fusion" else None


def _mean_prediction(outputs: Outputs) -> Tensor:
    return mean_logits(outputs.modality_logits)


def harmony(options: Harmony) -> Method:
    """Build Harmony with its two stages."""

    def second_lr_scale(branch: Branch, agent: AgentSpec) -> float:
        fine_tuned = len(agent.modalities) > 1 and branch.component == "encoder"
        return options.encoder_rate if fine_tuned else 1.0

    first = Stage(
        objective=modality_loss,
        sharing=_first_rule,
        fraction=options.first_stage,
        predict=_mean_prediction,
    )
    second = Stage(
        objective=joint_loss,
        sharing=_second_rule,
        fraction=1 - options.first_stage,
        lr_scale=second_lr_scale,
        exchanges={"fusion": AverageAlike(options.tau)},
        tracks_drift="encoder",
    )
    return Method(name="harmony", network=LateFusionNetwork, stages=(first, second), lr=0.01)
