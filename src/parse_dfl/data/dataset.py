"""Hold a multimodal data set in memory: an array per modality, samples first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from parse_dfl.agents import Kind
from parse_dfl.data.arrays import subject_column
from parse_dfl.data.kinds import arrange, kinds_by_key
from parse_dfl.errors import DataError, nearest
from parse_dfl.layouts import Layout

if TYPE_CHECKING:
    from parse_dfl.data.splits import Split


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
        """Return the shape of one sample of ``modality``."""
        return tuple(self.modalities[modality].shape[1:])

    def notes(self, modalities: Iterable[str] | None = None) -> list[str]:
        """Return notes for a person on how all, or some, ``modalities`` were read."""
        wanted = list(self.modalities if modalities is None else modalities)
        notes = [note for name, note in self.guesses.items() if name in wanted]
        if self.ignored:
            listed = "; ".join(f"{name} ({why})" for name, why in self.ignored.items())
            notes.append(f"ignored in {self.name}: {listed}")
        return notes

    def require(self, modalities: Iterable[str]) -> None:
        """Check that all of ``modalities`` are there.

        Raises:
            DataError: one is missing; the nearest names and all of them are given.
        """
        for modality in modalities:
            if modality not in self.modalities:
                why = " (it is a column of one value a sample)" if modality in self.keys else ""
                if modality in self.ignored:
                    why = f" (it is ignored: {self.ignored[modality]})"
                raise DataError(
                    f"data set {self.name!r} has no modality {modality!r}{why}"
                    f"{nearest(modality, self.modalities)}"
                )

    def with_kinds(self, kinds: Mapping[str, str]) -> Self:
        """Return the same data with the ``kinds`` of some modalities declared by the user.

        Raises:
            DataError: an unknown modality or kind, or samples that cannot be laid out so.
        """
        declared = kinds_by_key(kinds)
        self.require(declared)
        changed = {
            name: arrange(name, self.modalities[name], kind) for name, kind in declared.items()
        }
        unchanged = {name: note for name, note in self.guesses.items() if name not in changed}
        return replace(
            self,
            modalities={**self.modalities, **{name: new.values for name, new in changed.items()}},
            kinds={**self.kinds, **{name: new.kind for name, new in changed.items()}},
            layouts={**self.layouts, **{name: new.layout for name, new in changed.items()}},
            guesses={**unchanged, **{name: new.note for name, new in changed.items() if new.note}},
        )

    def with_subject(self, key: str) -> Self:
        """Return the same data with column ``key`` saying who a sample comes from.

        Raises:
            DataError: no such column, or one that is neither integers nor text.
        """
        if key == "subject" and self.subject is not None:
            return self
        if key not in self.keys:
            why = f" (it is ignored: {self.ignored[key]})" if key in self.ignored else ""
            raise DataError(
                f"data set {self.name!r} has no column {key!r}{why}{nearest(key, self.keys)}"
            )
        subject, names = subject_column(key, self.keys[key], self.samples)
        return replace(self, subject=subject, subject_names=names)


def describe(data: MultimodalData, split: Split) -> dict[str, Any]:
    """Describe the set and its parts, as values that JSON can hold."""
    counts = np.bincount(data.label, minlength=data.classes)
    return {
        "name": data.name,
        "samples": data.samples,
        "modalities": {
            name: {"kind": data.kinds[name].value, "shape": list(data.shape(name))}
            for name in data.modalities
        },
        "classes": data.classes,
        "label_counts": dict(zip(data.label_names, counts.tolist(), strict=True)),
        "subjects": None if data.subject is None else len(np.unique(data.subject)),
        "keys": sorted(data.keys),
        "factors": sorted(data.factors),
        "split": {
            "train": len(split.train),
            "validation": len(split.validation),
            "test": len(split.test),
        },
        "notes": data.notes(),
    }
