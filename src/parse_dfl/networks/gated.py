"""PARSE's network with a weight per slice and sample: how far each slice may be trusted.

The weight of a slice's logits ℓ_e is w_e · exp(a_e + b_e · (c_e − ½)), where c_e = 1 − H/log C is
how sure the slice is of this sample (H: entropy of its softmax) and a_e, b_e are learned.  a_e is
the slice's reliability as a whole, b_e how far its own confidence may be trusted; two numbers
cannot memorise samples.  Where a = b = 0 the network is PARSE's, but that the redundant head reads
each modality by itself and not their mean.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import ANY
from parse_dfl.networks.network import Outputs
from parse_dfl.networks.network_spec import NetworkSpec
from parse_dfl.networks.parse import ParseNetwork


class Gate(nn.Module):
    """The weights of ``slices`` slices: of each a_e and b_e."""

    rowwise = True

    def __init__(self, slices: int) -> None:
        super().__init__()
        self.trust = nn.Parameter(torch.zeros(slices, 2))

    def forward(self, logits: Tensor) -> Tensor:
        """Logits of the slices, ``(slices, …, B, C)``, to what they say together, ``(…, B, C)``."""
        log_share = logits.log_softmax(-1)
        entropy = -(log_share.exp() * log_share).sum(-1, keepdim=True)
        sure = 1 - entropy / math.log(logits.shape[-1])
        trust = self.trust.movedim(-2, 0).unsqueeze(-2)  # (slices, …, 1, 2)
        weight = (trust[..., :1] + trust[..., 1:] * (sure - 0.5)).exp()
        return (weight * logits).sum(0)


class GatedParseNetwork(ParseNetwork):
    """PARSE's network whose joint prediction weighs the slices.

    Agents with several modalities have further components ``m/gate`` and ``a+b/gate``, branches
    like any others.  ``logits`` is the weighted sum; no gradient flows from it into the slices,
    whose own sum is the plain joint prediction.
    """

    def __init__(self, network_spec: NetworkSpec, agent: AgentSpec) -> None:
        super().__init__(network_spec, agent)
        if len(agent.modalities) < 2:
            return
        for name in agent.modalities:
            slices = self.has(ANY, "redundant") + self.has(name, "unique")
            if slices:
                self.add(name, "gate", lambda slices=slices: Gate(slices))  # type: ignore[misc]
        for first, second in self.pairs:
            self.add(f"{first}+{second}", "gate", lambda: Gate(1))

    def forward(self, inputs: Mapping[str, Tensor]) -> Outputs:
        """As PARSE, with the weighted sum in the place of the plain one."""
        outputs = super().forward(inputs)
        if len(self.modalities) < 2:
            return outputs
        present = [name for name in self.modalities if name in inputs]
        parts = [self._modality(name, len(present), outputs) for name in present]
        for pair in (f"{first}+{second}" for first, second in self.pairs):
            if (name := f"synergistic.{pair}") in outputs.slice_logits:
                logits = outputs.slice_logits[name].detach().unsqueeze(0)
                parts.append(self.part(pair, "gate")(logits))
        return replace(outputs, logits=torch.stack(parts).sum(0))

    def _modality(self, name: str, modalities: int, outputs: Outputs) -> Tensor:
        """What a modality's redundant and unique slices say, weighted.

        The redundant head speaks once in PARSE, so its share is split among the modalities.
        """
        logits = []
        if self.has(ANY, "redundant"):
            redundant = self.part(ANY, "redundant")(outputs.slices[f"redundant.{name}"])
            logits.append(redundant / modalities)
        if self.has(name, "unique"):
            logits.append(outputs.slice_logits[f"unique.{name}"])
        gated: Tensor = self.part(name, "gate")(torch.stack(logits).detach())
        return gated
