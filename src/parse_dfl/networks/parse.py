"""Build the PARSE network: feature fission into slices, a head per slice, the sum of their logits;
and the same with a learned weight per slice and sample.

Paper: "PID-Guided Partial Alignment for Multimodal Decentralized Federated Learning", Shi, Wang,
Cao, Li, Liu, arXiv 2601.10012 (2026).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from parse_dfl.agents import AgentSpec, key, pairs
from parse_dfl.branches import ANY
from parse_dfl.errors import ConfigError
from parse_dfl.networks.fusion import check_fusion, fusion_operator
from parse_dfl.networks.layers import Linear
from parse_dfl.networks.network import Network, NetworkSpec, Outputs, slice_widths


class Backbone(nn.Module):
    """The encoder (the trunk) of one modality with its redundant and unique projections."""

    supports_agent_axis = True

    def __init__(self, trunk: nn.Module, hidden: int, redundant: int, unique: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.widths = [redundant, unique]
        self.project = Linear(hidden, redundant + unique) if redundant + unique else None

    def forward(self, input: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Turn ``(…, B, *shape)`` into the features, r and u."""
        features = self.trunk(input)
        if self.project is None:
            empty = features[..., :0]
            return features, empty, empty
        redundant, unique = self.project(features).split(self.widths, -1)
        return features, redundant, unique


class Synergy(nn.Module):
    """The pair's synergistic projections, fusion operator and head."""

    supports_agent_axis = True

    def __init__(self, hidden: int, width: int, classes: int, fusion: str) -> None:
        super().__init__()
        self.first = Linear(hidden, width)
        self.second = Linear(hidden, width)
        self.fuse = fusion_operator(fusion, width)
        self.head = Linear(width, classes)

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Turn both modalities' features, ``(…, B, hidden)``, into (s_a, s_b, s, logits)."""
        sides = self.first(first), self.second(second)
        fused = self.fuse(*sides)
        return *sides, fused, self.head(fused)


class ParseNetwork(Network):
    """An agent's PARSE network (arXiv 2601.10012).

    Components, and so branches: ``m/backbone`` (encoder, r and u projections), ``m/unique`` (head
    g_U^m), ``any/redundant`` (head g_R), ``a+b/synergy`` (s projections, fusion, head g_S^ab).
    A slice of width zero has no head.
    """

    def __init__(self, network_spec: NetworkSpec, agent: AgentSpec) -> None:
        super().__init__()
        config = network_spec.config
        check_fusion(config.fusion)
        redundant, unique, synergistic = slice_widths(config.latent, config.split)
        self.modalities = agent.modalities
        for modality in agent.modalities:
            self.add(
                modality,
                "backbone",
                lambda modality=modality: Backbone(  # type: ignore[misc]
                    network_spec.encoder(agent, modality), config.hidden, redundant, unique
                ),
            )
            if unique:
                self.add(modality, "unique", lambda: _head(unique, network_spec.classes))
        if redundant:
            self.add(ANY, "redundant", lambda: _head(redundant, network_spec.classes))
        self.pairs = pairs(agent.modalities) if synergistic else []
        if not (redundant or unique or self.pairs):
            raise ConfigError(
                f"split {config.split} leaves agent {agent.name!r} nothing to predict with; "
                "give the redundant or the unique slice a width"
            )
        for first, second in self.pairs:
            self.add(
                f"{first}+{second}",
                "synergy",
                lambda: Synergy(config.hidden, synergistic, network_spec.classes, config.fusion),
                context=self._backbones(first, second),
            )

    def _backbones(self, first: str, second: str) -> str:
        """Name what the synergy projections read: they are shared by equal backbones only."""
        return " ".join(str(self.branches[f"{name}/backbone"]) for name in (first, second))

    def forward(self, inputs: Mapping[str, Tensor]) -> Outputs:
        """Predict ℓ = ℓ_R + Σ_m ℓ_U^m + Σ_ab ℓ_S^ab over the modalities given.

        Raises:
            ConfigError: there is only a synergistic slice, and no pair of modalities for it.
        """
        present = [name for name in self.modalities if name in inputs]
        features: dict[str, Tensor] = {}
        slices: dict[str, Tensor] = {}
        sides: dict[str, Tensor] = {}
        for name in present:
            features[name], redundant, unique = self.part(name, "backbone")(inputs[name])
            slices |= {f"redundant.{name}": redundant, f"unique.{name}": unique}
        slice_logits = self._joint(present, slices)
        for first, second in self.pairs:
            if first in features and second in features:
                pair = f"{first}+{second}"
                one, other, fused, logits = self.part(pair, "synergy")(
                    features[first], features[second]
                )
                slices[f"synergistic.{pair}"] = fused
                slice_logits[f"synergistic.{pair}"] = logits
                sides[f"synergistic.{pair}.{first}"] = one
                sides[f"synergistic.{pair}.{second}"] = other
        if not slice_logits:
            raise ConfigError(
                f"split 0,0,1 leaves only synergy, which {key(present)!r} alone cannot predict "
                "from; give the redundant or the unique slice a width"
            )
        logits = _total(list(slice_logits.values()))
        alone = self._alone(present, slices, slice_logits, logits)
        return Outputs(logits, alone, slices, slice_logits, sides)

    def _joint(self, present: list[str], slices: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the logits of the redundant slices' mean, and of each unique slice."""
        by_slice: dict[str, Tensor] = {}
        if self.has(ANY, "redundant"):
            shared = _total([slices[f"redundant.{name}"] for name in present])
            if len(present) > 1:
                shared = shared / len(present)
            by_slice["redundant"] = self.part(ANY, "redundant")(shared)
        for name in present:
            if self.has(name, "unique"):
                by_slice[f"unique.{name}"] = self.part(name, "unique")(slices[f"unique.{name}"])
        return by_slice

    def _alone(
        self,
        present: list[str],
        slices: Mapping[str, Tensor],
        slice_logits: Mapping[str, Tensor],
        joint: Tensor,
    ) -> dict[str, Tensor]:
        """Return g_R(r_m) + g_U^m(u_m): what each modality says without the others."""
        if len(self.modalities) == 1:
            return dict.fromkeys(present, joint)
        alone = {}
        for name in present:
            logits = []
            if self.has(ANY, "redundant"):
                logits.append(self.part(ANY, "redundant")(slices[f"redundant.{name}"]))
            if self.has(name, "unique"):
                logits.append(slice_logits[f"unique.{name}"])
            if logits:
                alone[name] = _total(logits)
        return alone


class Gate(nn.Module):
    """The weights of ``slices`` slices, by two numbers each: how far a slice may be trusted.

    The weight of a slice's logits ℓ_e is w_e · exp(a_e + b_e · (c_e − ½)), where c_e = 1 − H/log C
    is how sure the slice is of this sample (H: entropy of its softmax) and a_e, b_e are learned.
    a_e is the slice's reliability as a whole, b_e how far its own confidence may be trusted; two
    numbers cannot memorise samples.
    """

    supports_agent_axis = True

    def __init__(self, slices: int) -> None:
        super().__init__()
        self.trust = nn.Parameter(torch.zeros(slices, 2))

    def forward(self, logits: Tensor) -> Tensor:
        """Weigh the slices' logits, ``(slices, …, B, C)``, and add them up, ``(…, B, C)``."""
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
    whose own sum is the plain joint prediction.  Where all gates' numbers are 0 it is PARSE's, but
    that the redundant head reads each modality by itself and not their mean.
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
        parts = [self._modality(name, len(present), outputs) for name in present]
        for pair in (f"{first}+{second}" for first, second in self.pairs):
            if (name := f"synergistic.{pair}") in outputs.slice_logits:
                logits = outputs.slice_logits[name].detach().unsqueeze(0)
                parts.append(self.part(pair, "gate")(logits))
        return replace(outputs, logits=torch.stack(parts).sum(0))

    def _modality(self, name: str, modalities: int, outputs: Outputs) -> Tensor:
        """Return the weighted logits of a modality's redundant and unique slices.

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


def _head(width: int, classes: int) -> nn.Module:
    """Build a slice's head: rectified first, as deep as the rivals' heads."""
    return nn.Sequential(nn.ReLU(), Linear(width, classes))


def _total(parts: list[Tensor]) -> Tensor:
    total, *others = parts
    for part in others:
        total = total + part
    return total
