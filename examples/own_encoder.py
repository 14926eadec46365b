"""Your own encoder for one modality, in one group of agents only.

Agents with different encoders of a modality keep those to themselves, and still learn from each
other: the heads that read the slices have one shape, and are shared by all.
"""

import torch
from torch import nn

from parse_dfl import Dropout, Federation, SampleShape, load_dataset


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


digits = load_dataset("digits")
# GROUP:MODALITY chooses it for one group; "top" alone would choose it for all owners of top.
federation = Federation(
    digits, {"top": 3, "bottom": 3, "bottom+top": 3}, encoders={"bottom+top:top": residual}
)
result = federation.fit(rounds=20)
print(result)

agent = result.agents["bottom+top-0"]
top = digits["top"][:8]
print("both cameras:", agent.predict({"top": top, "bottom": digits["bottom"][:8]}))
print("top alone:   ", agent.predict({"top": top}))
# A saved file holds numbers, not code: load_agent(path, encoders={"residual": residual}).
