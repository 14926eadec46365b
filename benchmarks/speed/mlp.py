"""Plain D-SGD on an MLP with one hidden layer, the job that every package can do.

A method of a user's own, as in ``examples/own_method.py``: one modality, one component, averaged
whole between neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from torch import Tensor, nn

from parse_dfl.agents import AgentSpec
from parse_dfl.methods.base import RULES, Method, Stage
from parse_dfl.networks.losses import joint_loss
from parse_dfl.networks.network import Network, NetworkSpec, Outputs

HIDDEN = 128
LR = 0.05


class Mlp(Network):
    """d → 128 → classes, for an agent with one modality."""

    def __init__(self, network_spec: NetworkSpec, agent: AgentSpec) -> None:
        super().__init__()
        (self.modality,) = agent.modalities
        features = prod(network_spec.samples[self.modality].shape)
        self.add(
            self.modality,
            "mlp",
            lambda: nn.Sequential(
                nn.Linear(features, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, network_spec.classes)
            ),
        )

    def forward(self, inputs: Mapping[str, Tensor]) -> Outputs:
        """The logits."""
        return Outputs(self.part(self.modality, "mlp")(inputs[self.modality]))


DSGD_MLP = Method(
    name="dsgd-mlp",
    network=Mlp,
    stages=(Stage(objective=joint_loss, sharing=RULES["task"]),),
    lr=LR,
)
