"""The network of the faithful fission: a trunk for every slice, and each read through noise.

It differs from :class:`~parse_dfl.networks.parse.ParseNetwork` in what keeps slices apart: no
trunk serves two of them, and each is a noisy channel (:mod:`parse_dfl.networks.gaussian_channel`)
whose
capacity is bounded and can be priced.  The prediction is the same sum of logits.  Beside it the
network says what each slice is to be trained on: its own logits on top of the frozen, noiseless
ones of the slices before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from parse_dfl.agents import AgentSpec, key, pairs
from parse_dfl.branches import ANY
from parse_dfl.errors import ConfigError
from parse_dfl.networks.gaussian_channel import through_noise
from parse_dfl.networks.layers import Linear
from parse_dfl.networks.network import Network, Outputs
from parse_dfl.networks.network_spec import NetworkSpec, slice_widths

Values = Mapping[str, Tensor]
"""Tensors by the names of slices and sides: ``redundant.a``, ``unique.a``,
``synergistic.a+b.a``."""


@dataclass(frozen=True)
class FaithfulOutputs(Outputs):
    """Outputs with the logits that training needs.

    ``staged`` are the logits of r alone (``redundant.a``), of u given r (``unique.a``, and
    ``unique`` for all modalities), of s given both (``synergistic``), and of the prediction with
    all slices frozen (``heads``).
    """

    staged: Values = field(default_factory=dict)  # each (..., B, C)


class Slice(nn.Module):
    """A trunk and the projection to one slice's mean μ, each entry in (−1, 1).

    The bound lets a slice say a thing surely without saying how surely: two modalities that know
    the same bit agree on it although each sees it in noise of its own.  Against unit noise an
    entry holds at most half a nat.
    """

    rowwise = True

    def __init__(self, trunk: nn.Module, hidden: int, width: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.project = Linear(hidden, width)

    def forward(self, input: Tensor) -> Tensor:
        """``(…, B, *shape)`` to μ ``(…, B, width)``."""
        mean: Tensor = self.project(self.trunk(input))
        return mean.tanh()


class Interaction(nn.Module):
    """``(U s_a) * (V s_b)``, the fusion operator of this network: nothing is added to a product.

    What one side says alone earns little here, so that s does not take what u is to hold; a
    perceptron over [s_a | s_b] mixes both, and the mixture cannot be priced apart.
    """

    rowwise = True

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = Linear(width, width, bias=False)
        self.second = Linear(width, width, bias=False)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Fuse two slices."""
        product: Tensor = self.first(first) * self.second(second)
        return product


class PairSynergy(nn.Module):
    """A pair's synergistic slices with trunks of their own, fusion operator and head."""

    rowwise = True

    def __init__(self, first: Slice, second: Slice, fuse: nn.Module, head: Linear) -> None:
        super().__init__()
        self.first, self.second = first, second
        self.fuse, self.head = fuse, head

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs of both modalities to the means of s_a and s_b, each ``(…, B, width)``."""
        return self.first(first), self.second(second)


class FaithfulNetwork(Network):
    """An agent's network with slices that can be priced.

    Components, and so branches: ``m/redundant-slice`` and ``m/unique-slice`` (a trunk and a
    projection each), ``m/unique`` (head g_U^m), ``any/redundant`` (head g_R), ``a+b/synergy`` (a
    trunk and a projection per modality, fusion, head g_S^ab).  ``config.fusion`` is not read: the
    operator is :class:`Interaction`.
    """

    def __init__(self, network_spec: NetworkSpec, agent: AgentSpec) -> None:
        super().__init__()
        config = network_spec.config
        redundant, unique, synergistic = slice_widths(config.latent, config.split)
        if not (redundant and unique):
            raise ConfigError(
                f"split {','.join(f'{part:g}' for part in config.split)} leaves out a slice that "
                "the faithful fission needs; give the redundant and the unique slice a width"
            )
        classes = network_spec.classes
        self.modalities = agent.modalities
        self.pairs = pairs(agent.modalities) if synergistic else []

        def slice_of(modality: str, width: int) -> Slice:
            return Slice(network_spec.trunk(agent, modality), config.hidden, width)

        def synergy_of(first: str, second: str) -> PairSynergy:
            return PairSynergy(
                slice_of(first, synergistic),
                slice_of(second, synergistic),
                Interaction(synergistic),
                Linear(synergistic, classes),
            )

        for name in agent.modalities:
            self.add(name, "redundant-slice", lambda name=name: slice_of(name, redundant))  # type: ignore[misc]
            self.add(name, "unique-slice", lambda name=name: slice_of(name, unique))  # type: ignore[misc]
            self.add(name, "unique", lambda: Linear(unique, classes))
        self.add(ANY, "redundant", lambda: Linear(redundant, classes))
        for pair in self.pairs:
            self.add(key(pair), "synergy", lambda pair=pair: synergy_of(*pair))  # type: ignore[misc]

    def forward(self, inputs: Mapping[str, Tensor]) -> FaithfulOutputs:
        """ℓ = ℓ_R + Σ_m ℓ_U^m + Σ_ab ℓ_S^ab over the modalities given, all through the noise."""
        present = [name for name in self.modalities if name in inputs]
        met = [pair for pair in self.pairs if set(pair) <= set(present)]
        means = self._means(inputs, present, met)
        read = {
            name: through_noise(mean, inputs[name.rpartition(".")[2]], name)
            for name, mean in means.items()
        }
        noisy, fused = self._say(read, present, met)
        quiet, fused_means = self._say(means, present, met)
        heads, _ = self._say({name: value.detach() for name, value in read.items()}, present, met)
        sides = {name: value for name, value in read.items() if name.startswith("synergistic.")}
        return FaithfulOutputs(
            logits=_prediction(noisy, present),
            modality_logits={m: noisy[f"redundant.{m}"] + noisy[f"unique.{m}"] for m in present},
            slices={name: value for name, value in read.items() if name not in sides} | fused,
            slice_logits={name: noisy[name] for name in _summands(noisy, present)},
            sides=sides,
            means=means | fused_means,
            mean_logits=_prediction(quiet, present),
            staged=_staged(noisy, quiet, present) | {"heads": _prediction(heads, present)},
        )

    def _means(
        self, inputs: Mapping[str, Tensor], present: list[str], met: list[tuple[str, str]]
    ) -> dict[str, Tensor]:
        """μ of every slice and of both sides of every pair."""
        means = {
            f"{kind}.{name}": self.part(name, f"{kind}-slice")(inputs[name])
            for kind in ("redundant", "unique")
            for name in present
        }
        for pair in met:
            both = self.part(key(pair), "synergy")(*(inputs[name] for name in pair))
            means |= {
                f"synergistic.{key(pair)}.{name}": mean
                for name, mean in zip(pair, both, strict=True)
            }
        return means

    def _say(
        self, values: Values, present: list[str], met: list[tuple[str, str]]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The logits of every slice, of r also per modality; and what pairs' sides fuse to."""
        shared = self.part(ANY, "redundant")
        said = {f"redundant.{name}": shared(values[f"redundant.{name}"]) for name in present}
        together = torch.stack([values[f"redundant.{name}"] for name in present]).mean(0)
        said["redundant"] = shared(together)
        for name in present:
            said[f"unique.{name}"] = self.part(name, "unique")(values[f"unique.{name}"])
        fused = {}
        for pair in met:
            name, part = f"synergistic.{key(pair)}", self.part(key(pair), "synergy")
            assert isinstance(part, PairSynergy)
            fused[name] = part.fuse(*(values[f"{name}.{modality}"] for modality in pair))
            said[name] = part.head(fused[name])
        return said, fused


def _summands(said: Values, present: list[str]) -> list[str]:
    """The slices whose logits add up to the prediction."""
    synergies = [name for name in said if name.startswith("synergistic.")]
    return ["redundant", *(f"unique.{name}" for name in present), *synergies]


def _prediction(said: Values, present: list[str]) -> Tensor:
    return _total([said[name] for name in _summands(said, present)])


def _staged(noisy: Values, quiet: Values, present: list[str]) -> dict[str, Tensor]:
    """r alone; u through its noise, given what r says without noise; s likewise, given both."""
    given = {name: logits.detach() for name, logits in quiet.items()}
    uniques = [f"unique.{name}" for name in present]
    synergies = [name for name in noisy if name.startswith("synergistic.")]
    staged = {f"redundant.{name}": noisy[f"redundant.{name}"] for name in present}
    for name in present:
        staged[f"unique.{name}"] = given[f"redundant.{name}"] + noisy[f"unique.{name}"]
    staged["unique"] = _total([given["redundant"], *(noisy[name] for name in uniques)])
    if synergies:
        before = [given[name] for name in ("redundant", *uniques)]
        staged["synergistic"] = _total(before + [noisy[name] for name in synergies])
    return staged


def _total(logits: list[Tensor]) -> Tensor:
    return torch.stack(logits).sum(0)
