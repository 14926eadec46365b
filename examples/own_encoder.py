"""Your own encoder for one modality, in one group of agents only.

Agents with different encoders of a modality keep those to themselves, and still learn from each
other: the heads that read the slices have one shape, and are shared by all.
"""

import tempfile
from pathlib import Path

import torch
from torch import nn

from parse_dfl import (
    Dropout,
    NetworkConfig,
    Own,
    RunConfig,
    SampleShape,
    TrainingConfig,
    load_agent,
    load_data,
    run,
)


class Residual(nn.Module):
    """Any module will do: written for one agent, inputs ``(B, *sample shape)``.

    It is mapped over all agents at once.  Use GroupNorm or LayerNorm, not BatchNorm, whose
    statistics cannot be averaged, and ``parse_dfl.Dropout``, whose masks belong to the agent.
    """

    def __init__(self, inputs: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.widen = nn.Linear(inputs, hidden)
        self.refine = nn.Linear(hidden, hidden)
        self.drop = Dropout(dropout)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        wide = self.widen(pixels).relu()
        return self.drop(wide + self.refine(wide).relu())


def residual(sample: SampleShape, hidden: int, dropout: float) -> nn.Module:
    """A builder: from (sample shape, width, dropout) to a module that ends in ``hidden``."""
    return Residual(sample.shape[0], hidden, dropout)


encoders = {"residual": residual}
config = RunConfig(
    agents="top=3,bottom=3,bottom+top=3",
    # GROUP:MODALITY chooses it for one group; "top" alone would choose it for all owners of top.
    network=NetworkConfig(encoders={"bottom+top:top": "residual"}),
    training=TrainingConfig(rounds=20),
)

with tempfile.TemporaryDirectory() as folder:
    out = Path(folder) / "run"
    summary = run(config, out=out, own=Own(encoders=encoders))
    for group, scores in summary["groups"].items():
        print(f"{group:12} {scores['accuracy']:.2f}  {scores['parameters']} parameters")

    # A file holds numbers, not code: give the encoder again to load an agent that uses it.
    agent = load_agent(out / "agents" / "bottom+top-0.safetensors", encoders=encoders)

digits = load_data("digits").modalities
top = digits["top"][:8]
print("both cameras:", agent.predict({"top": top, "bottom": digits["bottom"][:8]}))
print("top alone:   ", agent.predict({"top": top}))
