"""Define PARSE with a faithful fission: slices that hold what their names say, and pay for it.

Every slice is a noisy channel z = μ + ε with an encoder of its own
(:mod:`parse_dfl.networks.faithful`).  Three losses, added; each reaches one slice only, since
what comes before is frozen:

    r:  Σ_m CE(g_R(r_m)) + β_r · 1/(M − 1) · Σ_{m<k} ½‖μ_r^m − μ_r^k‖²
    u:  Σ_m CE([g_R(μ_r^m)] + g_U(u_m)) + CE([g_R(μ_r)] + Σ_m g_U(u_m))
        + Σ_m β_u · ½‖μ_u^m‖² + κ · D(μ_u^m, [μ_r^m])
    s:  CE([g_R(μ_r) + Σ_m g_U(μ_u^m)] + Σ_ab g_S(F(s_a, s_b)))
        + Σ_sides β_s · ½‖μ_s‖² + κ_s · (D(μ_s, [μ_r]) + D(μ_s, [μ_u]))

[·] is frozen, D the squared cross-covariance (:func:`parse_dfl.networks.losses.shared_variation`).
A fourth term, CE of the prediction with all slices frozen, fits the heads to what they add up to.
A unimodal agent cannot tell what its modality shares with others: it has no loss of r, which
reaches it by averaging with the multimodal owners of its modality.

Three stages of equal length: r at a low price; r and u; r, u and s.  A slice begins when those
before it are there: while they are unsure of their bits, it would take them, and what it has mixed
with its own no linear penalty gets out again.

Papers: PARSE, arXiv 2601.10012 (2026); the price of disagreement from "An Information Criterion
for Controlled Disentanglement of Multimodal Data" (DisentangledSSL), Wang et al., arXiv
2410.23996 (2024); the price per nat from the variational information bottleneck, Alemi et al.,
ICLR 2017.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations

import torch
from torch import Tensor

from parse_dfl.config.methods import PRICES, ParseFaithful
from parse_dfl.methods.base import Method, Stage, partial_alignment
from parse_dfl.networks.faithful import FaithfulNetwork, FaithfulOutputs
from parse_dfl.networks.losses import Batch, Objective, cross_entropy, gaussian_kl, shared_variation
from parse_dfl.networks.network import Outputs

KINDS = ("redundant", "unique", "synergistic")


def faithful_objective(options: ParseFaithful, kinds: Sequence[str] = KINDS) -> Objective:
    """Return the loss of the slices of these ``kinds``, at their prices times ``options.price``."""
    scaled = {name: options.price * getattr(options, name) for name in PRICES}
    priced = replace(options, **scaled)

    def objective(outputs: Outputs, batch: Batch) -> Tensor:
        assert isinstance(outputs, FaithfulOutputs)
        loss = cross_entropy(outputs.staged["heads"], batch)
        if "redundant" in kinds and len(outputs.modality_logits) > 1:
            loss = loss + redundant_loss(outputs, batch, priced)
        if "unique" in kinds:
            loss = loss + unique_loss(outputs, batch, priced)
        if "synergistic" in kinds and "synergistic" in outputs.staged:
            loss = loss + synergistic_loss(outputs, batch, priced)
        return loss

    return objective


def redundant_loss(outputs: FaithfulOutputs, batch: Batch, options: ParseFaithful) -> Tensor:
    """Let each r_m predict, and pay for what another modality's does not say.

    A bit that one modality alone knows earns at most ½‖μ‖² nats, whatever its strength, and
    costs β_r times that: above 1 it does not pay.
    """
    names = _named(outputs.means, "redundant.")
    loss = _sum([cross_entropy(outputs.staged[name], batch) for name in names])
    apart = [
        gaussian_kl(outputs.means[a] - outputs.means[b], batch) for a, b in combinations(names, 2)
    ]
    return loss + options.agreement / (len(names) - 1) * _sum(apart)


def unique_loss(outputs: FaithfulOutputs, batch: Batch, options: ParseFaithful) -> Tensor:
    """Let each u_m predict what r left open, pay for every nat, and not vary with r_m."""
    names = _named(outputs.means, "unique.")
    losses = [cross_entropy(outputs.staged[name], batch) for name in names]
    if len(names) > 1:
        losses.append(cross_entropy(outputs.staged["unique"], batch))
    for name in names:
        mean, modality = outputs.means[name], name.removeprefix("unique.")
        losses.append(options.unique_price * gaussian_kl(mean, batch))
        before = [f"redundant.{modality}"]
        losses += _apart_from(outputs, mean, before, batch, options.independence)
    return _sum(losses)


def synergistic_loss(outputs: FaithfulOutputs, batch: Batch, options: ParseFaithful) -> Tensor:
    """Let all s together predict what r and u left open; each side pays as u does."""
    losses = [cross_entropy(outputs.staged["synergistic"], batch)]
    for name in outputs.sides:
        mean, modality = outputs.means[name], name.rpartition(".")[2]
        before = [f"redundant.{modality}", f"unique.{modality}"]
        losses.append(options.synergy_price * gaussian_kl(mean, batch))
        losses += _apart_from(outputs, mean, before, batch, options.synergy_independence)
    return _sum(losses)


def _apart_from(
    outputs: FaithfulOutputs,
    mean: Tensor,
    before: Sequence[str],
    batch: Batch,
    price: float,
) -> list[Tensor]:
    """Return ``price`` · D(mean, [μ]) for the slices ``before``; nothing where it is 0."""
    if not price:
        return []
    frozen = [outputs.means[name].detach() for name in before]
    return [price * shared_variation(mean, other, batch) for other in frozen]


def _named(values: Iterable[str], prefix: str) -> list[str]:
    return [name for name in values if name.startswith(prefix)]


def _sum(losses: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(losses)).sum(0)


def parse_faithful(options: ParseFaithful) -> Method:
    """Build PARSE's sharing rule over the faithful network, in three stages."""
    cheap = replace(options, agreement=options.early * options.agreement)
    objectives = (
        faithful_objective(cheap, KINDS[:1]),
        faithful_objective(options, KINDS[:2]),
        faithful_objective(options),
    )
    stages = tuple(
        Stage(objective=objective, sharing=partial_alignment) for objective in objectives
    )
    return Method(name="parse-faithful", network=FaithfulNetwork, stages=stages, lr=0.02)
