"""What agents put out on common samples, which all probes read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from parse_dfl.agents import AgentSpec, key, pairs
from parse_dfl.analysis.probing.measures import bits
from parse_dfl.analysis.probing.parts import Places
from parse_dfl.analysis.probing.probes import Readings
from parse_dfl.config.methods import WITH_SLICES
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.engine.agent_io import TrainedAgent
from parse_dfl.errors import CheckpointError, ConfigError
from parse_dfl.networks.network import Outputs

LABEL = "label"
"""The target of the probes beside the true factors."""


@dataclass(frozen=True, kw_only=True)
class Material:
    """Readings of every representation, and the samples that they are of.

    ``label`` and ``subject`` (None: the set has none) have shape (samples,), over the fitted, the
    tuned and the reported samples.
    """

    readings: Readings
    label: NDArray[np.int64]
    subject: NDArray[np.int64] | None
    places: Places
    steps: int
    seed: int
    doubts: dict[str, None] = field(default_factory=dict)
    """The warnings of all decompositions, each once."""

    def accuracy(self, agent: str, name: str) -> Mapping[str, float]:
        """How often each target is read right from an agent's representation."""
        return self.readings.accuracy[f"{agent}/{name}"]

    def noiseless(self, agent: str, name: str) -> Mapping[str, float] | None:
        """The same without the channel's noise; None where there is none."""
        return self.readings.accuracy.get(f"{agent}/noiseless/{name}")

    def bits(self, names: tuple[str, str, str], modalities: tuple[str, str]) -> dict[str, Any]:
        """The decomposition of the representations called ``names``: one modality's, the other's
        and both."""
        first, second, both = (self.readings.scores[name] for name in names)
        found = bits(
            (first, second, both),
            self.label[self.places.report],
            modalities,
            groups=None if self.subject is None else self.subject[self.places.report],
            seed=self.seed,
        )
        self.doubts.update(dict.fromkeys(found["warnings"]))
        return found


Array = NDArray[np.float32]
Pair = tuple[str, str]

KINDS = ("redundant", "unique", "synergistic")
CHUNK = 512
"""Samples of one forward pass."""


@dataclass(frozen=True, kw_only=True)
class View:
    """An agent and its outputs on the audit's samples, one batch."""

    agent: AgentSpec
    outputs: Outputs

    @property
    def is_noisy(self) -> bool:
        """Whether any of its slices is a noisy channel."""
        return bool(self.outputs.means)

    def values(self, *, noiseless: bool = False) -> dict[str, Array]:
        """Every slice and every side of a synergistic slice, (samples, width), by name."""
        outputs = self.outputs
        means = outputs.means if noiseless else {}
        return {
            name: values.numpy()
            for name, values in {**outputs.slices, **outputs.sides, **means}.items()
            if values.shape[-1]
        }

    def representations(self, *, noiseless: bool = False) -> dict[str, Array]:
        """What is read: :meth:`values`, and the two modalities' slices of a kind side by side,
        as ``redundant.a,b`` (for synergy what the fusion operator reads, (s_a, s_b)).

        ``noiseless`` gives only those in which noise is missing.
        """
        values = self.values(noiseless=noiseless)
        made_of: dict[str, tuple[str, ...]] = {name: (name,) for name in values}
        for kind in KINDS:
            for pair in pairs(self.agent.modalities):
                made_of[f"{kind}.{','.join(pair)}"] = sides(kind, pair)
        return {
            name: np.concatenate([values[part] for part in parts], axis=1)
            for name, parts in made_of.items()
            if all(part in values for part in parts)
            and (not noiseless or any(part in self.outputs.means for part in parts))
        }


def sides(kind: str, pair: Pair) -> Pair:
    """The names of a kind's slices of two modalities."""
    prefix = f"{kind}.{key(pair)}" if kind == "synergistic" else kind
    return f"{prefix}.{pair[0]}", f"{prefix}.{pair[1]}"


def view(trained: TrainedAgent, data: MultimodalData, samples: NDArray[np.int64]) -> View:
    """What an agent makes of ``samples``.

    Raises:
        ConfigError: its network has no slices.
        CheckpointError: what it says is not finite: its training diverged.
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
    outputs = joined(chunks)
    if not all(bool(values.isfinite().all()) for values in _tensors(outputs)):
        raise CheckpointError(
            f"agent {trained.spec.name!r} says NaN or infinity: its training diverged, there is "
            "nothing to audit"
        )
    return View(agent=trained.spec, outputs=outputs)


def joined(chunks: Sequence[Outputs]) -> Outputs:
    """The outputs of several batches as those of one."""
    queues = [iter(_tensors(chunk)) for chunk in chunks]
    return chunks[0].map(lambda _: torch.cat([next(queue) for queue in queues]))


def _tensors(outputs: Outputs) -> list[Tensor]:
    """Every tensor, in the order in which :meth:`Outputs.map` goes through them."""
    found: list[Tensor] = []
    outputs.map(lambda value: found.append(value) or value)  # type: ignore[func-returns-value]
    return found
