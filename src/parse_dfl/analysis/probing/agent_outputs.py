"""Run trained agents on common samples, and measure what predictions owe to each slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from parse_dfl.agents import AgentSpec, key, pairs
from parse_dfl.config.methods import WITH_SLICES
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.engine.agent_io import TrainedAgent
from parse_dfl.errors import CheckpointError, ConfigError
from parse_dfl.networks.network import Outputs
from parse_dfl.records import Contribution

Array = NDArray[np.float32]
Pair = tuple[str, str]

KINDS = ("redundant", "unique", "synergistic")
CROSS_AGENT_KINDS = ("redundant", "unique")
CHUNK = 512
"""Samples of one forward pass."""


@dataclass(frozen=True, kw_only=True)
class AgentOutputs:
    """An agent and its outputs on the probed samples, one batch."""

    agent: AgentSpec
    outputs: Outputs

    @classmethod
    def of(
        cls, trained: TrainedAgent, data: MultimodalData, samples: NDArray[np.int64]
    ) -> AgentOutputs:
        """Run an agent on ``samples``, positions in ``data``.

        Raises:
            ConfigError: its network has no slices.
            CheckpointError: its outputs are not finite: its training diverged.
        """
        chunks = [
            trained.outputs(
                {name: data.modalities[name][part] for name in trained.spec.modalities},
                laid_out=True,
            )
            for part in np.split(samples, range(CHUNK, len(samples), CHUNK))
        ]
        if not any(name.partition(".")[0] in KINDS for name in chunks[0].slices):
            raise ConfigError(
                f"agent {trained.spec.name!r} has no redundant, unique or synergistic slices to "
                f"audit; methods that have: {', '.join(WITH_SLICES)}"
            )
        outputs = concatenated(chunks)
        if not all(bool(values.isfinite().all()) for values in _tensors(outputs)):
            raise CheckpointError(
                f"agent {trained.spec.name!r} says NaN or infinity: its training diverged, there "
                "is nothing to audit"
            )
        return cls(agent=trained.spec, outputs=outputs)

    @property
    def is_noisy(self) -> bool:
        """Whether any of its slices is a noisy channel."""
        return bool(self.outputs.means)

    def values(self, *, noiseless: bool = False) -> dict[str, Array]:
        """Return every slice and side of a synergistic slice, (samples, width), by name."""
        outputs = self.outputs
        means = outputs.means if noiseless else {}
        return {
            name: values.numpy()
            for name, values in {**outputs.slices, **outputs.sides, **means}.items()
            if values.shape[-1]
        }

    def representations(self, *, noiseless: bool = False) -> dict[str, Array]:
        """Return :meth:`values`, and the two modalities' slices of a kind side by side.

        These are called ``redundant.a,b``; for synergy they are what the fusion operator reads,
        (s_a, s_b).  ``noiseless`` gives only those in which noise is missing.
        """
        values = self.values(noiseless=noiseless)
        parts_of: dict[str, tuple[str, ...]] = {name: (name,) for name in values}
        for kind in KINDS:
            for pair in pairs(self.agent.modalities):
                parts_of[f"{kind}.{','.join(pair)}"] = slice_names(kind, pair)
        return {
            name: np.concatenate([values[part] for part in parts], axis=1)
            for name, parts in parts_of.items()
            if all(part in values for part in parts)
            and (not noiseless or any(part in self.outputs.means for part in parts))
        }

    def stored_name(self, representation: str, *, noiseless: bool = False) -> str:
        """Return the name of one of this agent's representations among those of all agents."""
        return f"{self.agent.name}/{'noiseless/' if noiseless else ''}{representation}"

    def named_representations(self) -> dict[str, Array]:
        """Return :meth:`representations`, with noise and without, by :meth:`stored_name`."""
        return {
            self.stored_name(name, noiseless=noiseless): values
            for noiseless in (False, True)
            for name, values in self.representations(noiseless=noiseless).items()
        }


def slice_names(kind: str, pair: Pair) -> Pair:
    """Return the names of a kind's slices of two modalities."""
    prefix = f"{kind}.{key(pair)}" if kind == "synergistic" else kind
    return f"{prefix}.{pair[0]}", f"{prefix}.{pair[1]}"


def concatenated(chunks: Sequence[Outputs]) -> Outputs:
    """Return the outputs of several batches as those of one."""
    queues = [iter(_tensors(chunk)) for chunk in chunks]
    return chunks[0].map(lambda _: torch.cat([next(queue) for queue in queues]))


def _tensors(outputs: Outputs) -> list[Tensor]:
    """Return every tensor, in the order in which :meth:`Outputs.map` goes through them."""
    tensors: list[Tensor] = []
    outputs.map(lambda value: tensors.append(value) or value)  # type: ignore[func-returns-value]
    return tensors


@dataclass(frozen=True, kw_only=True)
class CrossAgentPair:
    """Two unimodal agents of different modalities.

    They never meet on a sample, but both can be shown the same held-out sample, each its own
    modality.  What the first's slice then predicts of the second's is what they have in common
    without ever having shared anything but averaged parameters.
    """

    first: AgentOutputs
    second: AgentOutputs

    @property
    def modalities(self) -> Pair:
        """The first agent's modality and the second's."""
        return self.first.agent.modalities[0], self.second.agent.modalities[0]

    def slices(self, *, noiseless: bool = False) -> dict[str, tuple[Array, Array]]:
        """Return kind → the first agent's slice and the second's."""
        first, second = (
            outputs.values(noiseless=noiseless) for outputs in (self.first, self.second)
        )
        names = {kind: slice_names(kind, self.modalities) for kind in CROSS_AGENT_KINDS}
        return {
            kind: (first[a], second[b])
            for kind, (a, b) in names.items()
            if a in first and b in second
        }

    def stored_name(self, kind: str) -> str:
        """Return the name of the two slices of a kind among the representations of all agents."""
        return f"{self.first.agent.name} {self.second.agent.name}/{kind}"

    def named_representations(self) -> dict[str, Array]:
        """Return the two agents' slices of a kind side by side, for the probes."""
        return {
            self.stored_name(kind): np.concatenate(slices, axis=1)
            for kind, slices in self.slices().items()
        }


def cross_agent_pairs(agents: Sequence[AgentOutputs]) -> list[CrossAgentPair]:
    """Pair unimodal agents of each two modalities, the first with the first, and so on."""
    by_modality: dict[str, list[AgentOutputs]] = {}
    for outputs in agents:
        if len(outputs.agent.modalities) == 1:
            by_modality.setdefault(outputs.agent.group, []).append(outputs)
    return [
        CrossAgentPair(first=first, second=second)
        for a, b in combinations(sorted(by_modality), 2)
        for first, second in zip(by_modality[a], by_modality[b], strict=False)
    ]


def ablation(outputs: Outputs, label: Tensor) -> Contribution:
    """Measure what predictions owe to each slice, and to both modalities at once.

    A prediction is the sum of its slices' logits, ℓ = ℓ_R + Σ_m ℓ_U^m + Σ_ab ℓ_S^ab, so that a
    slice is removed by leaving its logits out.  ``without`` and ``alone`` are empty where the
    logits are not that sum.

    Args:
        outputs: one agent's, of the reported samples.
        label: their classes, shape (samples,).
    """

    def share_right(logits: Tensor) -> float:
        return _share(_right(logits, label))

    by_slice = outputs.slice_logits
    total = torch.stack(list(by_slice.values())).sum(0)
    adds_up = torch.allclose(total, outputs.logits, rtol=1e-4, atol=1e-4)
    right = _right(outputs.logits, label)
    single = [_right(logits, label) for logits in outputs.modality_logits.values()]
    several = len(single) > 1
    any_single = torch.stack(single).any(0) if several else right
    mean_logits = outputs.mean_logits
    return Contribution(
        joint=_share(right),
        noiseless=None if mean_logits is None else share_right(mean_logits),
        without={
            name: share_right(total - logits)
            for name, logits in by_slice.items()
            if adds_up and len(by_slice) > 1
        },
        alone={name: share_right(logits) for name, logits in by_slice.items() if adds_up},
        modalities={name: share_right(v) for name, v in outputs.modality_logits.items()},
        synergy_score=_share(right & ~any_single) if several else None,
        spoilt=_share(~right & any_single) if several else None,
    )


def _right(logits: Tensor, label: Tensor) -> Tensor:
    return logits.argmax(-1) == label


def _share(hits: Tensor) -> float:
    return float(hits.double().mean())
