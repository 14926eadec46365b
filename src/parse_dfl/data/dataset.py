"""A multimodal data set in memory: an array per modality, samples first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parse_dfl.modalities import Kind


@dataclass(frozen=True, kw_only=True)
class MultimodalData:
    """A labelled data set whose modalities are aligned sample by sample.

    Build it with :func:`parse_dfl.data.mapping.from_mapping`, which checks everything; this
    class itself only holds what was checked.
    """

    name: str
    modalities: Mapping[str, NDArray[Any]]  # float32 or float64, each shape=(samples, ...)
    kinds: Mapping[str, Kind]
    label: NDArray[np.int64]  # shape=(samples,), 0 .. classes-1
    label_names: tuple[str, ...]
    subject: NDArray[np.int64] | None = None  # shape=(samples,)
    subject_names: tuple[str, ...] = ()
    """The names of subjects 0, 1, … where the set names them; empty where it numbers them."""
    is_test: NDArray[np.bool_] | None = None  # shape=(samples,)
    keys: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)
    """Further columns of one value a sample, such as ``actor``, for ``--subject-key``."""
    factors: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    """The true factors of synthetic data, each shape=(samples,)."""

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(self.label)

    @property
    def classes(self) -> int:
        """Number of classes C."""
        return len(self.label_names)

    def shape(self, modality: str) -> tuple[int, ...]:
        """The shape of one sample of ``modality``."""
        return tuple(self.modalities[modality].shape[1:])
