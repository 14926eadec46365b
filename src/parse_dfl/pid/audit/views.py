"""What an agent makes of the audit's samples: its slices, their noiseless readings, its logits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from parse_dfl.agents import AgentSpec
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.errors import ConfigError
from parse_dfl.methods.names import WITH_SLICES
from parse_dfl.modalities import pairs
from parse_dfl.networks.network import Outputs
from parse_dfl.training.agent_file import TrainedAgent

Array = NDArray[np.float32]

KINDS = ("redundant", "unique", "synergistic")
CHUNK = 512
"""Samples of one forward pass."""


@dataclass(frozen=True, kw_only=True)
class View:
    """An agent and its outputs on the audit's samples, one batch."""

    agent: AgentSpec
    outputs: Outputs

    def representations(self) -> dict[str, Array]:
        """What can be read, each (samples, width): every slice by its name, and the slices of a
        kind of each pair of modalities side by side, as ``redundant.a,b``.

        For synergy these are what the fusion operator reads, (s_a, s_b).
        """
        return self._collect({**self.outputs.slices, **self.outputs.sides})

    def noiseless(self) -> dict[str, Array]:
        """The same without the channels' noise, for those that have any."""
        means = self.outputs.means
        values = {**self.outputs.slices, **self.outputs.sides, **means}
        noisy = self._collect({name: value for name, value in values.items() if name in means})
        return {name: value for name, value in self._collect(values).items() if name in noisy}

    def sides(self, kind: str, pair: tuple[str, str]) -> tuple[Array, Array] | None:
        """The slices of a kind of two modalities, or None where the agent has no such."""
        values = {**self.outputs.slices, **self.outputs.sides}
        names = _sides(kind, pair)
        if all(name in values and values[name].shape[-1] for name in names):
            return values[names[0]].numpy(), values[names[1]].numpy()
        return None

    def _collect(self, values: Mapping[str, Tensor]) -> dict[str, Array]:
        found = {
            name: values[name].numpy()
            for name in self.outputs.slices
            if name in values and values[name].shape[-1]
        }
        for kind in KINDS:
            for pair in pairs(self.agent.modalities):
                sides = [values[name].numpy() for name in _sides(kind, pair) if name in values]
                if len(sides) == 2 and sides[0].shape[-1]:
                    found[f"{kind}.{','.join(pair)}"] = np.concatenate(sides, axis=1)
        return found


def _sides(kind: str, pair: tuple[str, str]) -> list[str]:
    """The names of a kind's slices of two modalities."""
    prefix = f"{kind}.{'+'.join(pair)}" if kind == "synergistic" else kind
    return [f"{prefix}.{modality}" for modality in pair]


def view(trained: TrainedAgent, data: MultimodalData, samples: NDArray[np.int64]) -> View:
    """What an agent makes of ``samples``.

    Raises:
        ConfigError: its network has no slices.
    """
    chunks = [
        trained.outputs({name: data.modalities[name][part] for name in trained.spec.modalities})
        for part in np.split(samples, range(CHUNK, len(samples), CHUNK))
    ]
    if not any(name.partition(".")[0] in KINDS for name in chunks[0].slices):
        raise ConfigError(
            f"agent {trained.spec.name!r} has no redundant, unique or synergistic slices to "
            f"audit; methods that have: {', '.join(WITH_SLICES)}"
        )
    return View(agent=trained.spec, outputs=joined(chunks))


def joined(chunks: Sequence[Outputs]) -> Outputs:
    """The outputs of several batches as those of one."""
    queues = [iter(_tensors(chunk)) for chunk in chunks]
    return chunks[0].map(lambda _: torch.cat([next(queue) for queue in queues]))


def _tensors(outputs: Outputs) -> list[Tensor]:
    """Every tensor, in the order in which :meth:`Outputs.map` goes through them."""
    found: list[Tensor] = []
    outputs.map(lambda value: found.append(value) or value)  # type: ignore[func-returns-value]
    return found
