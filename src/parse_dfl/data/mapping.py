"""Make a data set from Python: a mapping of arrays or tensors, or a torch ``Dataset``.

Every data set of the package passes through :func:`from_mapping`, the one place that checks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parse_dfl.data.arrays import (
    as_array,
    column,
    label_column,
    subject_column,
    test_column,
)
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.data.kinds import Arranged, arrange, by_key, kinds_by_key
from parse_dfl.data.standardise import as_numbers
from parse_dfl.errors import DataError, nearest
from parse_dfl.text import showable


def from_mapping(
    name: str,
    modalities: Mapping[str, Any],
    label: object,
    *,
    subject: object | None = None,
    is_test: object | None = None,
    label_names: Sequence[str] | None = None,
    kinds: Mapping[str, str] | None = None,
    keys: Mapping[str, object] | None = None,
    factors: Mapping[str, object] | None = None,
) -> MultimodalData:
    """Check arrays or torch tensors, samples first, and return them as a data set.

    Args:
        name: what to call the set in results.
        modalities: an array of numbers per modality, each shape (samples, ...); kept as float32,
            or as float64 where float32 would lose a feature that lies far from zero or whose
            unit is huge or tiny.
            Inside, a name is replaced by its key (:mod:`parse_dfl.text`).
        label: shape (samples,), integers or text, mapped to 0 … C-1; or one-hot, (samples, C).
        subject: shape (samples,), integers or text: who a sample comes from.
        is_test: shape (samples,), booleans: the set's own test part.
        label_names: the C class names, in the order of the labels.
        kinds: the kind of a modality where its shape does not tell, see
            :func:`parse_dfl.data.kinds.arrange`.
        keys: further columns that ``subject`` may be replaced by.
        factors: the true factors of synthetic data, each shape (samples,), integers.

    Raises:
        DataError: anything of the above that does not hold, NaN or infinite values included.
    """
    index, names = label_column(label, label_names)
    samples = len(index)
    laid_out = _laid_out(modalities, kinds or {}, samples)
    numbers, subject_names = (
        (None, ()) if subject is None else subject_column("subject", subject, samples)
    )
    return MultimodalData(
        name=showable(name),
        modalities={modality: array.values for modality, array in laid_out.items()},
        kinds={modality: array.kind for modality, array in laid_out.items()},
        layouts={modality: array.layout for modality, array in laid_out.items()},
        guesses={modality: array.note for modality, array in laid_out.items() if array.note},
        label=index,
        label_names=names,
        subject=numbers,
        subject_names=subject_names,
        is_test=None if is_test is None else test_column(is_test, samples),
        keys={key: column(key, values, samples) for key, values in _once(keys, "column")},
        factors={
            key: column(key, values, samples).astype(np.int64)
            for key, values in _once(factors, "factor")
        },
    )


def from_torch_dataset(
    name: str,
    dataset: Any,
    modalities: Sequence[str] | None = None,
    *,
    kinds: Mapping[str, str] | None = None,
) -> MultimodalData:
    """Read a torch ``Dataset`` (or any sequence) item by item into memory.

    An item is ``(mapping of tensors, label)`` or ``((tensor, …), label)``; ``modalities`` names
    the tensors of the latter, or picks some of the former (None: all).  ``kinds`` are as in
    :func:`from_mapping`; pictures with their channels first, as torchvision's, are recognised.

    Raises:
        DataError: items of another form, tensors that differ in shape, a modality that items
            lack, and what :func:`from_mapping` refuses.
    """
    if not hasattr(dataset, "__len__"):
        raise DataError(f"data set {name!r} has no length; an iterable Dataset cannot be split")
    if not len(dataset):
        raise DataError(f"data set {name!r} is empty")
    rows: list[Mapping[str, Any]] = []
    labels: list[Any] = []
    for index in range(len(dataset)):
        values, label = _item(index, dataset[index], modalities)
        rows.append(values)
        labels.append(as_array(label))
    return from_mapping(
        name,
        {modality: _stack(modality, [row[modality] for row in rows]) for modality in rows[0]},
        _stack("label", labels),
        kinds=kinds,
    )


def _once(entries: Mapping[str, Any] | None, what: str) -> list[tuple[str, Any]]:
    """Return the entries of a mapping, or of a table that must not name a column twice."""
    listed = [] if entries is None else list(entries.items())
    names = [name for name, _ in listed]
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"{what} {str(name)!r} is there twice; give each a name of its own")
    return listed


def _laid_out(
    modalities: Mapping[str, Any], kinds: Mapping[str, str], samples: int
) -> dict[str, Arranged]:
    """Return the modalities by key, their numbers checked, in the order of axes used inside."""
    if not len(modalities):
        raise DataError("the data have no modality; at least one array of samples is needed")
    declared = kinds_by_key(kinds)
    arrays = by_key(modalities.items(), "modality")
    for modality in declared:
        if modality not in arrays:
            raise DataError(
                f"kind given for an unknown modality {modality!r}{nearest(modality, arrays)}"
            )
    return {
        modality: arrange(modality, _values(modality, values, samples), declared.get(modality))
        for modality, values in arrays.items()
    }


def _values(modality: str, values: object, samples: int) -> NDArray[Any]:
    """Return the modality's numbers, finite, shape (samples, ...) with at least two axes."""
    array = as_array(values)
    if array.dtype.kind not in "biuf":
        raise DataError(f"modality {modality!r} has type {array.dtype}; real numbers are needed")
    if array.ndim == 0 or len(array) != samples:
        length = len(array) if array.ndim else 0
        raise DataError(f"modality {modality!r} has {length} samples, label has {samples}")
    if array.size == 0:
        raise DataError(f"modality {modality!r} is empty: its samples have shape {array.shape[1:]}")
    return as_numbers(modality, array[:, None] if array.ndim == 1 else array)


def _item(index: int, item: Any, modalities: Sequence[str] | None) -> tuple[Mapping[str, Any], Any]:
    """Return one item's tensors by modality, and its label."""
    if not isinstance(item, tuple | list) or len(item) != 2:
        raise DataError(f"item {index} is not (modalities, label) but {type(item).__name__}")
    values, label = item
    if isinstance(values, Mapping):
        wanted = list(values) if modalities is None else modalities
        for modality in wanted:
            if modality not in values:
                raise DataError(
                    f"item {index} lacks modality {modality!r}{nearest(modality, values)}"
                )
        return {modality: values[modality] for modality in wanted}, label
    if not isinstance(values, tuple | list):
        raise DataError(f"item {index} holds neither a mapping nor a tuple of tensors")
    if modalities is None or len(modalities) != len(values):
        raise DataError(f"item {index} has {len(values)} tensors; name as many modalities")
    if len(set(modalities)) != len(modalities):
        raise DataError(f"the modalities {', '.join(modalities)} repeat a name")
    return dict(zip(modalities, values, strict=True)), label


def _stack(modality: str, values: Sequence[Any]) -> NDArray[Any]:
    arrays = [as_array(value) for value in values]
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        first, second = sorted(shapes)[:2]
        raise DataError(f"modality {modality!r} has samples of different shapes: {first}, {second}")
    return np.stack(arrays)
