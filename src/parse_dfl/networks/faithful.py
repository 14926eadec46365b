"""Build the network of the faithful fission: an encoder for every slice, each read through noise.

It differs from :class:`~parse_dfl.networks.parse.ParseNetwork` in what keeps slices apart: no
encoder serves two of them, and each is a noisy channel z = μ + ε, ε ~ N(0, I), whose capacity is
bounded and can be priced: a mean of length ‖μ‖ carries at most ½‖μ‖² nats.  The prediction, the
same sum of logits, and every other reader get the same z, in training and ever after.  Beside it
the network says what each slice is to be trained on: its own logits on top of the frozen,
noiseless ones of the slices before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from parse_dfl.agents import AgentSpec, key, pairs
from parse_dfl.branches import ANY, stable_hash
from parse_dfl.errors import ConfigError
from parse_dfl.networks.counter_rng import CounterRng, current_rng, hash_tensor
from parse_dfl.networks.layers import Linear
from parse_dfl.networks.network import Network, NetworkSpec, Outputs, slice_widths

Values = Mapping[str, Tensor]
"""Tensors by the names of slices and sides: ``redundant.a``, ``unique.a``,
``synergistic.a+b.a``."""

GRAIN = 256
"""Inputs are hashed in steps of 1/256, far above the rounding differences between engines."""


def sample_channel(mean: Tensor, input: Tensor, name: str) -> Tensor:
    """Read ``mean`` (…, B, D), the slice called ``name`` of samples ``input`` (…, B, *shape),
    through the noise.

    In training ε belongs to the agent, round and step, as every draw does.  Afterwards it belongs
    to the sample: a hash of what the sensor said, so that a sample is read alike in any batch.
    """
    rng = current_rng()
    if rng is None:
        return mean + sample_noise(mean, input, name)
    return mean + rng.normal(mean.shape, mean.dtype)


@torch.no_grad()
def sample_noise(mean: Tensor, input: Tensor, name: str) -> Tensor:
    """Return normal noise like ``mean`` (…, B, D), a function of ``input`` and ``name`` alone."""
    flat = input.reshape(mean.shape[:-1].numel(), -1)
    words = (flat.double() * GRAIN).round().to(torch.int64)
    counters = torch.arange(flat.shape[1], device=flat.device)
    keys = hash_tensor(words, counters).sum(1) ^ stable_hash("channel", name)
    noise = CounterRng(keys).normal(torch.Size((len(keys), mean.shape[-1])), mean.dtype)
    return noise.view(mean.shape)


@dataclass(frozen=True)
class FaithfulOutputs(Outputs):
    """Outputs with the logits that training needs.

    ``staged`` are the logits of r alone (``redundant.a``), of u given r (``unique.a``, and
    ``unique`` for all modalities), of s given both (``synergistic``), and of the prediction with
    all slices frozen (``heads``).
    """

    staged: Values = field(default_factory=dict)  # each (..., B, C)


class Slice(nn.Module):
    """An encoder (the trunk) and the projection to one slice's mean μ, each entry in (−1, 1).

    The bound lets a slice say a thing surely without saying how surely: two modalities that know
    the same bit agree on it although each sees it in noise of its own.  Against unit noise an
    entry holds at most half a nat.
    """

    supports_agent_axis = True

    def __init__(self, trunk: nn.Module, hidden: int, width: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.project = Linear(hidden, width)

    def forward(self, input: Tensor) -> Tensor:
        """Turn ``(…, B, *shape)`` into μ ``(…, B, width)``."""
        mean: Tensor = self.project(self.trunk(input))
        return mean.tanh()


class Interaction(nn.Module):
    """``(U s_a) * (V s_b)``, the fusion operator of this network: nothing is added to a product.

    What one side says alone earns little here, so that s does not take what u is to hold; a
    perceptron over [s_a | s_b] mixes both, and the mixture cannot be priced apart.
    """

    supports_agent_axis = True

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = Linear(width, width, bias=False)
        self.second = Linear(width, width, bias=False)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Fuse two slices."""
        product: Tensor = self.first(first) * self.second(second)
        return product


class PairSynergy(nn.Module):
    """A pair's synergistic slices with encoders of their own, fusion operator and head."""

    supports_agent_axis = True

    def __init__(self, first: Slice, second: Slice, fuse: nn.Module, head: Linear) -> None:
        super().__init__()
        self.first, self.second = first, second
        self.fuse, self.head = fuse, head

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """Turn inputs of both modalities into the means of s_a and s_b, ``(…, B, width)``."""
        return self.first(first), self.second(second)


class FaithfulNetwork(Network):
    """An agent's network with slices that can be priced.

    Components, and so branches: ``m/redundant-slice`` and ``m/unique-slice`` (an encoder and a
    projection each), ``m/unique`` (head g_U^m), ``any/redundant`` (head g_R), ``a+b/synergy`` (an
    encoder and a projection per modality, fusion, head g_S^ab).  ``config.fusion`` is not read: the
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
            return Slice(network_spec.encoder(agent, modality), config.hidden, width)

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
        """Predict ℓ = ℓ_R + Σ_m ℓ_U^m + Σ_ab ℓ_S^ab of the modalities given, through the noise."""
        present = [name for name in self.modalities if name in inputs]
        met = [pair for pair in self.pairs if set(pair) <= set(present)]
        means = self._means(inputs, present, met)
        read = {
            name: sample_channel(mean, inputs[name.rpartition(".")[2]], name)
            for name, mean in means.items()
        }
        noisy, fused = self._logits(read, present, met)
        quiet, fused_means = self._logits(means, present, met)
        heads, _ = self._logits(
            {name: value.detach() for name, value in read.items()}, present, met
        )
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
        """Return μ of every slice and of both sides of every pair."""
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

    def _logits(
        self, values: Values, present: list[str], met: list[tuple[str, str]]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return every slice's logits, of r also per modality, and what pairs' sides fuse to."""
        shared = self.part(ANY, "redundant")
        logits = {f"redundant.{name}": shared(values[f"redundant.{name}"]) for name in present}
        together = torch.stack([values[f"redundant.{name}"] for name in present]).mean(0)
        logits["redundant"] = shared(together)
        for name in present:
            logits[f"unique.{name}"] = self.part(name, "unique")(values[f"unique.{name}"])
        fused = {}
        for pair in met:
            name, part = f"synergistic.{key(pair)}", self.part(key(pair), "synergy")
            assert isinstance(part, PairSynergy)
            fused[name] = part.fuse(*(values[f"{name}.{modality}"] for modality in pair))
            logits[name] = part.head(fused[name])
        return logits, fused


def _summands(logits: Values, present: list[str]) -> list[str]:
    """Return the slices whose logits add up to the prediction."""
    synergies = [name for name in logits if name.startswith("synergistic.")]
    return ["redundant", *(f"unique.{name}" for name in present), *synergies]


def _prediction(logits: Values, present: list[str]) -> Tensor:
    return _total([logits[name] for name in _summands(logits, present)])


def _staged(noisy: Values, quiet: Values, present: list[str]) -> dict[str, Tensor]:
    """Return r alone; u through its noise, given r without noise; s likewise, given both."""
    frozen = {name: logits.detach() for name, logits in quiet.items()}
    uniques = [f"unique.{name}" for name in present]
    synergies = [name for name in noisy if name.startswith("synergistic.")]
    staged = {f"redundant.{name}": noisy[f"redundant.{name}"] for name in present}
    for name in present:
        staged[f"unique.{name}"] = frozen[f"redundant.{name}"] + noisy[f"unique.{name}"]
    staged["unique"] = _total([frozen["redundant"], *(noisy[name] for name in uniques)])
    if synergies:
        before = [frozen[name] for name in ("redundant", *uniques)]
        staged["synergistic"] = _total(before + [noisy[name] for name in synergies])
    return staged


def _total(logits: list[Tensor]) -> Tensor:
    return torch.stack(logits).sum(0)
