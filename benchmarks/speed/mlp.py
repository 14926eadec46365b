"""Plain D-SGD on an MLP with one hidden layer, the job that every package can do.

A method of a user's own, as in ``examples/own_method.py``: one modality, one component, averaged
whole between neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from torch import Tensor, nn

from parse_dfl.agents import AgentSpec
from parse_dfl.methods.method import Method, Stage
from parse_dfl.methods.sharing import RULES
from parse_dfl.networks.blueprint import Blueprint
from parse_dfl.networks.network import Network, Outputs
from parse_dfl.objectives import joint_loss

HIDDEN = 128
LR = 0.05


class Mlp(Network):
    """d → 128 → classes, for an agent with one modality."""

    def __init__(self, blueprint: Blueprint, agent: AgentSpec) -> None:
        super().__init__()
        (self.modality,) = agent.modalities
        features = prod(blueprint.samples[self.modality].shape)
        self.add(
            self.modality,
            "mlp",
            lambda: nn.Sequential(
                nn.Linear(features, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, blueprint.classes)
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
