"""The monolithic network of the rivals: encoders, one fused embedding, one head."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import ANY
from parse_dfl.networks.layers import Linear, ReLU
from parse_dfl.networks.network import Network, Outputs
from parse_dfl.networks.network_spec import NetworkSpec


class MonolithicNetwork(Network):
    """Encoders of width ``latent`` → concatenation → fused embedding → head.

    Components: ``m/encoder``, ``a+b/fusion`` (of the agent's modality set), ``any/head``; heads
    have one shape in all agents, so that a sharing rule may couple any of them.  The embedding
    of a modality that is missing at test time is zero.
    """

    def __init__(self, network_spec: NetworkSpec, agent: AgentSpec) -> None:
        super().__init__()
        config = network_spec.config
        self.modalities = agent.modalities
        for modality in agent.modalities:
            self.add(
                modality,
                "encoder",
                lambda modality=modality: nn.Sequential(  # type: ignore[misc]
                    network_spec.trunk(agent, modality), Linear(config.hidden, config.latent)
                ),
            )
        self.set = agent.group
        embedded = config.latent * len(agent.modalities)
        self.add(self.set, "fusion", lambda: nn.Sequential(Linear(embedded, config.latent), ReLU()))
        self.add(ANY, "head", lambda: Linear(config.latent, network_spec.classes))

    def forward(self, inputs: Mapping[str, Tensor]) -> Outputs:
        """The head's logits of the fused embedding."""
        embeddings = {
            name: self.part(name, "encoder")(inputs[name])
            for name in self.modalities
            if name in inputs
        }
        fused = self.part(self.set, "fusion")(self._joined(embeddings))
        return Outputs(self.part(ANY, "head")(fused), slices={"fused": fused})

    def _joined(self, embeddings: Mapping[str, Tensor]) -> Tensor:
        """The embeddings side by side, ``(…, B, D · M)``."""
        present = list(embeddings.values())
        if len(self.modalities) == 1:
            return present[0]
        if len(present) < len(self.modalities):
            blank = torch.zeros_like(present[0])
            present = [embeddings.get(name, blank) for name in self.modalities]
        return torch.cat(present, -1)
