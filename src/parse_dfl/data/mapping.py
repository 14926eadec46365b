"""Data from Python: a mapping of arrays or tensors, or a torch ``Dataset``.

Every data set of the package passes through :func:`from_mapping`, the one place that checks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parse_dfl.data.columns import (
    as_array,
    column,
    label_column,
    subject_column,
    test_column,
)
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.data.kinds import arrange
from parse_dfl.data.numbers import as_numbers
from parse_dfl.errors import ConfigError, DataError, nearest
from parse_dfl.modalities import modality_set


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
    """A checked data set from arrays or torch tensors, samples first.

    Args:
        name: what to call the set in results.
        modalities: an array of numbers per modality, each shape (samples, ...); kept as float32,
            or as float64 where float32 would lose a feature that lies far from zero or whose
            unit is huge or tiny.
        label: shape (samples,), integers or text, mapped to 0 … C-1.
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
    _check_names(modalities, kinds or {})
    laid_out = {
        modality: arrange(modality, _values(modality, values, samples), (kinds or {}).get(modality))
        for modality, values in modalities.items()
    }
    numbers, subject_names = (
        (None, ()) if subject is None else subject_column("subject", subject, samples)
    )
    return MultimodalData(
        name=name,
        modalities={modality: values for modality, (values, _) in laid_out.items()},
        kinds={modality: kind for modality, (_, kind) in laid_out.items()},
        label=index,
        label_names=names,
        subject=numbers,
        subject_names=subject_names,
        is_test=None if is_test is None else test_column(is_test, samples),
        keys={key: column(key, values, samples) for key, values in (keys or {}).items()},
        factors={
            key: column(key, values, samples).astype(np.int64)
            for key, values in (factors or {}).items()
        },
    )


def from_torch_dataset(
    name: str, dataset: Any, modalities: Sequence[str] | None = None
) -> MultimodalData:
    """A data set from a torch ``Dataset`` (or any sequence), read item by item into memory.

    An item is ``(mapping of tensors, label)`` or ``((tensor, …), label)``; ``modalities`` names
    the tensors of the latter, or picks some of the former (None: all).

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
        np.stack(labels),
    )


def _check_names(modalities: Mapping[str, Any], kinds: Mapping[str, str]) -> None:
    if not modalities:
        raise DataError("the data have no modality; at least one array of samples is needed")
    try:
        modality_set(list(modalities))
    except ConfigError as error:
        raise DataError(str(error)) from error
    for modality in kinds:
        if modality not in modalities:
            raise DataError(
                f"kind given for an unknown modality {modality!r}{nearest(modality, modalities)}"
            )


def _values(modality: str, values: object, samples: int) -> NDArray[Any]:
    """The modality's numbers, finite, shape (samples, ...) with at least two axes."""
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
    """One item's tensors by modality, and its label."""
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
    return dict(zip(modalities, values, strict=True)), label


def _stack(modality: str, values: Sequence[Any]) -> NDArray[Any]:
    arrays = [as_array(value) for value in values]
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        first, second = sorted(shapes)[:2]
        raise DataError(f"modality {modality!r} has samples of different shapes: {first}, {second}")
    return np.stack(arrays)
