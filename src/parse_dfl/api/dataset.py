"""Take data sets as users hand them over: arrays, a data frame, a torch ``Dataset``, or a name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parse_dfl.data.catalog import load
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.data.mapping import from_mapping, from_torch_dataset
from parse_dfl.errors import DataError, UnknownNameError, nearest


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Dataset(MultimodalData):
    """A labelled data set: an array per modality, samples first, aligned sample by sample.

    Build it with :meth:`from_arrays`, :meth:`from_dataframe`, :meth:`from_torch` or
    :func:`load_dataset`, which check everything.  ``data["top"]`` is a modality's array.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    """The settings of the configuration that load this set again; of one's own, its name."""
    can_be_loaded_again: bool = False
    """Whether ``settings`` suffice to load it in another process."""

    @classmethod
    def from_arrays(
        cls,
        modalities: Mapping[str, Any],
        label: object,
        *,
        name: str = "data",
        subject: object | None = None,
        is_test: object | None = None,
        label_names: Sequence[str] | None = None,
        kinds: Mapping[str, str] | None = None,
        keys: Mapping[str, object] | None = None,
    ) -> Dataset:
        """Return a data set of arrays or torch tensors.

        Args:
            modalities: an array of numbers per modality, each of shape (samples, ...).
            label: shape (samples,), integers or text.
            name: what to call the set in results.
            subject: shape (samples,), integers or text: who a sample comes from.
            is_test: shape (samples,), booleans: the set's own test part.
            label_names: the names of the classes, in the order of the labels.
            kinds: ``vector``, ``series``, ``image`` or ``video`` of a modality whose shape does
                not tell.
            keys: further columns of one value a sample.

        Raises:
            DataError: anything of the above that does not hold, NaN or infinite values included.
        """
        checked = from_mapping(
            name,
            modalities,
            label,
            subject=subject,
            is_test=is_test,
            label_names=label_names,
            kinds=kinds,
            keys=keys,
        )
        return cls.of(checked)

    @classmethod
    def from_torch(
        cls, dataset: Any, modalities: Sequence[str] | None = None, *, name: str = "data"
    ) -> Dataset:
        """Read a torch ``Dataset`` (or any sequence) item by item into memory.

        An item is ``(mapping of tensors, label)`` or ``((tensor, …), label)``; ``modalities``
        names the tensors of the latter, or picks some of the former (None: all).

        Raises:
            DataError: items of another form, and what :meth:`from_arrays` refuses.
        """
        return cls.of(from_torch_dataset(name, dataset, modalities))

    @classmethod
    def from_dataframe(
        cls,
        frame: Any,
        modalities: Mapping[str, Sequence[str] | str],
        label: str,
        *,
        name: str = "data",
        subject: str | None = None,
        is_test: str | None = None,
        label_names: Sequence[str] | None = None,
    ) -> Dataset:
        """Return a data set of a pandas ``DataFrame``, a row a sample.

        Args:
            frame: the table.
            modalities: the columns of each modality: ``{"acc": ["ax", "ay"], "sound": "db"}``.
            label: the column of the classes.
            name: what to call the set in results.
            subject: the column that says who a sample comes from.
            is_test: the column of booleans that marks the test part.
            label_names: the names of the classes, in the order of the labels.

        Raises:
            DataError: a column is missing, and what :meth:`from_arrays` refuses.
        """
        columns = {
            modality: [names] if isinstance(names, str) else list(names)
            for modality, names in modalities.items()
        }
        asked = [name for names in columns.values() for name in names]
        for column in [*asked, label, *filter(None, (subject, is_test))]:
            if column not in frame.columns:
                names = [str(name) for name in frame.columns]
                raise DataError(f"the table has no column {column!r}{nearest(str(column), names)}")
        return cls.from_arrays(
            {modality: frame[names].to_numpy() for modality, names in columns.items()},
            _column(frame, label),
            name=name,
            subject=subject and _column(frame, subject),
            is_test=is_test and frame[is_test].to_numpy(),
            label_names=label_names,
        )

    @classmethod
    def of(cls, data: MultimodalData, settings: Mapping[str, Any] | None = None) -> Dataset:
        """Return checked data as a data set; ``settings`` load it again, if a name does."""
        by_name = settings is not None
        return cls(
            **vars(data),
            settings=settings or {"data.data": data.name},
            can_be_loaded_again=by_name,
        )

    def __getitem__(self, modality: str) -> NDArray[Any]:
        if modality not in self.modalities:
            raise UnknownNameError(
                f"data set {self.name!r} has no modality {modality!r}"
                f"{nearest(str(modality), self.modalities)}"
            )
        return self.modalities[modality]

    def __len__(self) -> int:
        return self.samples

    def __repr__(self) -> str:
        shapes = [f"{name} {self.kinds[name]} {self.shape(name)}" for name in self.modalities]
        return (
            f"<Dataset {self.name}: {self.samples} samples, {self.classes} classes; "
            f"{', '.join(shapes)}>"
        )


def load_dataset(
    name: str | Path,
    *,
    data_dir: str | Path | None = None,
    modalities: Iterable[str] = (),
    kinds: Mapping[str, str] | None = None,
    subject_key: str | None = None,
) -> Dataset:
    """Load a data set by its name (``digits``, ``motionsense``) or the path of its ``.npz``.

    Args:
        name: a name that ``parse-dfl data`` lists, or a path that ends in ``.npz``.
        data_dir: where named sets lie (None: the environment's ``PARSE_DFL_DATA``).
        modalities: what is meant to be used, checked; one-dimensional arrays of a file among them
            are modalities of one feature instead of columns.
        kinds: the kind of a modality where its shape does not tell.
        subject_key: the column to take as subject.

    Raises:
        DataError: an unknown name (the nearest are offered), or a file that cannot be used.
    """
    data = load(
        name, data_dir=data_dir, kinds=kinds, subject_key=subject_key, modalities=modalities
    )
    settings: dict[str, Any] = {"data.data": str(name)}
    settings |= {"data.data_dir": str(data_dir)} if data_dir is not None else {}
    settings |= {"data.kind": dict(kinds)} if kinds else {}
    settings |= {"data.subject_key": subject_key} if subject_key else {}
    return Dataset.of(data, settings)


def _column(frame: Any, name: str) -> NDArray[Any]:
    """Return a column of one value a sample; text and categories as text."""
    if missing := int(frame[name].isna().sum()):
        raise DataError(f"column {name!r} lacks {missing} values; drop or fill these rows first")
    values = frame[name].to_numpy()
    return values.astype(np.str_) if values.dtype.kind not in "biuf" else values
