"""PARSE's network with a weight per slice and sample: how far each slice may be trusted.

The weight of a slice's logits ℓ_e is w_e · exp(a_e + b_e · (c_e − ½)), where c_e = 1 − H/log C is
how sure the slice is of this sample (H: entropy of its softmax) and a_e, b_e are learned.  a_e is
the slice's reliability as a whole, b_e how far its own confidence may be trusted; two numbers
cannot memorise samples.  Where a = b = 0 the network is PARSE's, but that the redundant head reads
each modality by itself and not their mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import ANY
from parse_dfl.networks.network import Outputs
from parse_dfl.networks.network_spec import NetworkSpec
from parse_dfl.networks.parse import ParseNetwork


class Gate(nn.Module):
    """What is learned of ``slices`` slices: of each a_e and b_e."""

    rowwise = True

    def __init__(self, slices: int) -> None:
        super().__init__()
        self.trust = nn.Parameter(torch.zeros(slices, 2))

    def forward(self) -> Tensor:
        """Return a_e and b_e with the slices first, shape=(slices, …, 2)."""
        return self.trust.movedim(-2, 0)


def weigh(logits: Tensor, trust: Tensor) -> Tensor:
    """Return w_e(x) ℓ_e of slices' logits, shape=(slices, …, B, C), by (a_e, b_e) of each,
    shape=(slices, …, 2)."""
    log_share = logits.log_softmax(-1)
    entropy = -(log_share.exp() * log_share).sum(-1, keepdim=True)
    sure = 1 - entropy / math.log(logits.shape[-1])
    reliability, by_confidence = trust.unsqueeze(-2).split(1, dim=-1)
    return (reliability + by_confidence * (sure - 0.5)).exp() * logits


@dataclass(frozen=True, kw_only=True)
class GatedOutputs(Outputs):
    """Outputs whose joint prediction is the sum of ``weighted`` slices."""

    weighted: Mapping[str, Tensor]  # each (..., B, C)

    def map(self, change: Callable[[Tensor], Tensor]) -> GatedOutputs:
        """Return the outputs with every tensor changed."""
        weighted = {name: change(value) for name, value in self.weighted.items()}
        return GatedOutputs(**vars(super().map(change)), weighted=weighted)


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
        """Predict as PARSE, with the weighted sum in the place of the plain one."""
        outputs = super().forward(inputs)
        if len(self.modalities) < 2:
            return outputs
        present = [name for name in self.modalities if name in inputs]
        slices: dict[str, Tensor] = {}
        trust = []
        for name in present:
            of_modality = self._slices_of(name, len(present), outputs)
            if of_modality:
                slices |= of_modality
                trust.append(self.part(name, "gate")())
        for first, second in self.pairs:
            if (name := f"synergistic.{first}+{second}") in outputs.slice_logits:
                slices[name] = outputs.slice_logits[name]
                trust.append(self.part(f"{first}+{second}", "gate")())
        weighted = weigh(torch.stack(list(slices.values())).detach(), torch.cat(trust))
        return GatedOutputs(
            logits=weighted.sum(0),
            modality_logits=outputs.modality_logits,
            slices=outputs.slices,
            slice_logits=outputs.slice_logits,
            sides=outputs.sides,
            weighted=dict(zip(slices, weighted, strict=True)),
        )

    def _slices_of(self, name: str, modalities: int, outputs: Outputs) -> dict[str, Tensor]:
        """Return the logits of a modality's redundant and unique slices.

        The redundant head speaks once in PARSE, so its share is split among the modalities.
        """
        logits = {}
        if self.has(ANY, "redundant"):
            redundant = self.part(ANY, "redundant")(outputs.slices[f"redundant.{name}"])
            logits[f"redundant.{name}"] = redundant / modalities
        if self.has(name, "unique"):
            logits[f"unique.{name}"] = outputs.slice_logits[f"unique.{name}"]
        return logits
