"""Build the networks of PARSE's rivals: encoders, then one fused embedding and head, or one
network per modality and late fusion."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import ANY
from parse_dfl.networks.layers import Linear, ReLU
from parse_dfl.networks.network import Network, NetworkSpec, Outputs


def _embedding(network_spec: NetworkSpec, agent: AgentSpec, modality: str) -> nn.Module:
    """Build a modality's encoder of width ``latent``."""
    config = network_spec.config
    return nn.Sequential(
        network_spec.encoder(agent, modality), Linear(config.hidden, config.latent)
    )


class MonolithicNetwork(Network):
    """The rivals' usual network: encoders of width ``latent`` → fused embedding → head.

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
                lambda modality=modality: _embedding(network_spec, agent, modality),  # type: ignore[misc]
            )
        self.set = agent.group
        embedded = config.latent * len(agent.modalities)
        self.add(self.set, "fusion", lambda: nn.Sequential(Linear(embedded, config.latent), ReLU()))
        self.add(ANY, "head", lambda: Linear(config.latent, network_spec.classes))

    def forward(self, inputs: Mapping[str, Tensor]) -> Outputs:
        """Predict the head's logits of the fused embedding."""
        embeddings = {
            name: self.part(name, "encoder")(inputs[name])
            for name in self.modalities
            if name in inputs
        }
        fused = self.part(self.set, "fusion")(self._joined(embeddings))
        return Outputs(self.part(ANY, "head")(fused), slices={"fused": fused})

    def _joined(self, embeddings: Mapping[str, Tensor]) -> Tensor:
        """Return the embeddings side by side, ``(…, B, D · M)``."""
        present = list(embeddings.values())
        if len(self.modalities) == 1:
            return present[0]
        if len(present) < len(self.modalities):
            blank = torch.zeros_like(present[0])
            present = [embeddings.get(name, blank) for name in self.modalities]
        return torch.cat(present, -1)


class LateFusionNetwork(Network):
    """Harmony's network: a complete network per modality, and a fusion head over their embeddings.

    Components: ``m/encoder``, ``m/head``, and for several modalities ``a+b/fusion``.  Where a
    modality is missing at test time, the mean of the remaining modalities' own logits is the
    prediction.

    Paper: "Harmony: Heterogeneous Multi-Modal Federated Learning through Disentangled Model
    Training", Ouyang et al., MobiSys 2023.
    """

    def __init__(self, network_spec: NetworkSpec, agent: AgentSpec) -> None:
        super().__init__()
        config = network_spec.config
        self.modalities, self.set = agent.modalities, agent.group
        for modality in agent.modalities:
            self.add(
                modality,
                "encoder",
                lambda modality=modality: _embedding(network_spec, agent, modality),  # type: ignore[misc]
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
        """Predict logits per modality, and by the fusion head where all modalities are there."""
        present = [name for name in self.modalities if name in inputs]
        embeddings = {name: self.part(name, "encoder")(inputs[name]) for name in present}
        alone = {name: self.part(name, "head")(embeddings[name]) for name in present}
        if len(present) < len(self.modalities) or len(present) == 1:
            return Outputs(mean_logits(alone), alone, embeddings)
        joined = torch.cat([embeddings[name] for name in present], -1)
        return Outputs(self.part(self.set, "fusion")(joined), alone, embeddings)


def mean_logits(alone: Mapping[str, Tensor]) -> Tensor:
    """Return the mean of the modalities' own logits, each ``(…, B, C)``."""
    return torch.stack(list(alone.values())).mean(0)
