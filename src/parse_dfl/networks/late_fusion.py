"""Harmony's network: a complete network per modality, and a fusion head over their embeddings.

Paper: "Harmony: Heterogeneous Multi-Modal Federated Learning through Disentangled Model
Training", Ouyang et al., MobiSys 2023.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from parse_dfl.agents import AgentSpec
from parse_dfl.networks.layers import Linear, ReLU
from parse_dfl.networks.network import Network, Outputs
from parse_dfl.networks.network_spec import NetworkSpec


class LateFusionNetwork(Network):
    """Components: ``m/encoder``, ``m/head``, and for several modalities ``a+b/fusion``.

    Where a modality is missing at test time, the mean of the remaining modalities' own logits
    is the prediction.
    """

    def __init__(self, network_spec: NetworkSpec, agent: AgentSpec) -> None:
        super().__init__()
        config = network_spec.config
        self.modalities, self.set = agent.modalities, agent.group
        for modality in agent.modalities:
            self.add(
                modality,
                "encoder",
                lambda modality=modality: nn.Sequential(  # type: ignore[misc]
                    network_spec.trunk(agent, modality), Linear(config.hidden, config.latent)
                ),
            )
            self.add(
                modality,
                "head",
                lambda: nn.Sequential(nn.ReLU(), Linear(config.latent, network_spec.classes)),
            )
        if len(agent.modalities) > 1:
            embedded = config.latent * len(agent.modalities)
            self.add(
                self.set,
                "fusion",
                lambda: nn.Sequential(
                    nn.ReLU(),
                    Linear(embedded, config.latent),
                    ReLU(),
                    Linear(config.latent, network_spec.classes),
                ),
            )

    def forward(self, inputs: Mapping[str, Tensor]) -> Outputs:
        """Logits per modality, and the fusion head's logits where all modalities are there."""
        present = [name for name in self.modalities if name in inputs]
        embeddings = {name: self.part(name, "encoder")(inputs[name]) for name in present}
        alone = {name: self.part(name, "head")(embeddings[name]) for name in present}
        if len(present) < len(self.modalities) or len(present) == 1:
            return Outputs(mean_logits(alone), alone, embeddings)
        joined = torch.cat([embeddings[name] for name in present], -1)
        return Outputs(self.part(self.set, "fusion")(joined), alone, embeddings)


def mean_logits(alone: Mapping[str, Tensor]) -> Tensor:
    """The mean of the modalities' own logits, each ``(…, B, C)``."""
    return torch.stack(list(alone.values())).mean(0)
