"""A multimodal data set in memory: an array per modality, samples first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parse_dfl.agents import Kind
from parse_dfl.layouts import Layout


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
    layouts: Mapping[str, Layout] = field(default_factory=dict)
    """How each modality's samples came, and how they were laid out; missing: as they are."""
    guesses: Mapping[str, str] = field(default_factory=dict)
    """What to say about a modality whose kind was guessed and may be another."""
    ignored: Mapping[str, str] = field(default_factory=dict)
    """What else the file holds and is not used, and why."""

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

    def notes(self, modalities: Iterable[str] | None = None) -> list[str]:
        """What a person should know of how the data were read; of all ``modalities`` or of some."""
        wanted = list(self.modalities if modalities is None else modalities)
        found = [note for name, note in self.guesses.items() if name in wanted]
        if self.ignored:
            listed = "; ".join(f"{name} ({why})" for name, why in self.ignored.items())
            found.append(f"ignored in {self.name}: {listed}")
        return found
