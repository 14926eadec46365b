"""Standardise the samples of a stack's agents by each agent's own or agreed statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from parse_dfl.agents import AgentSpec, Kind
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.data.standardise import LIMIT, Standardiser, fit, needs_float64
from parse_dfl.engine.sampler import Samples, channels_first, take

ALL = slice(None)


@dataclass(frozen=True)
class AgentData:
    """An agent and the numbers of its training samples.

    ``standardisers`` maps a modality to what its owners agreed to standardise it by, or to what
    is known already; what it lacks is standardised by the agent's own samples.
    """

    agent: AgentSpec
    indices: NDArray[np.int64]  # shape=(samples,)
    standardisers: Mapping[str, Standardiser] = field(default_factory=dict)


class TensorData:
    """A data set on the device that trains on it."""

    def __init__(self, data: MultimodalData, device: torch.device, dtype: torch.dtype) -> None:
        self.source = data
        self.device, self.dtype = device, dtype
        self.modalities = {
            name: channels_first(self._raw(values, data.kinds[name]), data.kinds[name])
            for name, values in data.modalities.items()
        }
        self.label = torch.from_numpy(data.label).to(device)

    def _raw(self, values: NDArray[Any], kind: Kind) -> Tensor:
        """Return ``values`` in a type that loses nothing before they are standardised.

        They are rounded to the run's type after it: of 1000 ± 1 bfloat16 would keep nothing, of
        1.7e9 ± 20 float32.
        """
        least = torch.float64 if needs_float64(values, kind) else torch.float32
        return torch.from_numpy(values).to(self.device, torch.promote_types(self.dtype, least))

    @property
    def classes(self) -> int:
        """Number of classes C."""
        return self.source.classes


class StackData:
    """The training samples of n agents that own the same modalities.

    Rows are padded to the largest agent; padding is never picked with a weight
    (:func:`~parse_dfl.engine.sampler.batch_weights`).
    """

    def __init__(self, data: TensorData, agent_data: Sequence[AgentData]) -> None:
        self._data = data
        modalities = agent_data[0].agent.modalities
        self.sizes = np.array([len(entry.indices) for entry in agent_data])
        index = np.zeros((len(agent_data), self.sizes.max()), dtype=np.int64)
        for row, entry in enumerate(agent_data):
            index[row, : len(entry.indices)] = entry.indices
        self.standardisers = [standardisers(data.source, entry) for entry in agent_data]
        self.mean = {
            name: self._stack(name, [row[name].mean for row in self.standardisers])
            for name in modalities
        }
        self.scale = {
            name: _above_zero(self._stack(name, [row[name].scale for row in self.standardisers]))
            for name in modalities
        }
        rows = torch.from_numpy(index).to(data.device)
        self.inputs = {
            name: self.standardise(name, take(data.modalities[name], rows)) for name in modalities
        }  # each shape=(n, S, *shape)
        self.label = data.label[rows]  # shape=(n, S)
        self.label_counts = count_labels(data, agent_data)  # shape=(n, C)

    def _stack(self, modality: str, values: Sequence[NDArray[np.float64]]) -> Tensor:
        return torch.from_numpy(np.stack(values)).to(self._data.modalities[modality])[:, None]

    def standardise(self, modality: str, values: Tensor, block: slice = ALL) -> Tensor:
        """Standardise ``values`` (rows or 1, B, *shape) as each row of ``block`` does."""
        centred = values - self.mean[modality][block]
        scaled = centred.div_(self.scale[modality][block]).clamp_(-LIMIT, LIMIT)
        return scaled.to(self._data.dtype)

    def samples(self, block: slice) -> Samples:
        """Return the samples of the rows of ``block``."""
        inputs = {name: values[block] for name, values in self.inputs.items()}
        return Samples(inputs, self.label[block])


def _above_zero(scale: Tensor) -> Tensor:
    """Return ``scale`` where an agent's own lies below the type's range and was cast to 0."""
    return scale.clamp_(min=torch.finfo(scale.dtype).tiny)


def standardisers(data: MultimodalData, agent_data: AgentData) -> dict[str, Standardiser]:
    """Return the standardiser of each of an agent's modalities: the agreed one, or its own."""
    return {
        name: agent_data.standardisers.get(name)
        or fit(data.modalities[name][agent_data.indices], data.kinds[name])
        for name in agent_data.agent.modalities
    }


def count_labels(data: TensorData, agent_data: Sequence[AgentData]) -> Tensor:
    """Count each agent's samples of each class, shape=(n, C)."""
    label, classes = data.source.label, data.classes
    counts = [np.bincount(label[entry.indices], minlength=classes) for entry in agent_data]
    exact = torch.promote_types(data.dtype, torch.float32)  # bfloat16 counts to 256
    return torch.from_numpy(np.stack(counts)).to(data.device, exact)
