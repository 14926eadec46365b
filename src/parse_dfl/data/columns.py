"""The columns of a data set: one value a sample, such as the label, the subject, the test mark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parse_dfl.errors import DataError

_INTEGERS = "biu"
_TEXT = "US"


def as_array(values: object) -> NDArray[Any]:
    """A numpy array of anything array-like; torch tensors leave their device and graph.

    Raises:
        DataError: ragged lists, or a tensor of a type that numpy lacks.
    """
    try:
        if hasattr(values, "detach"):  # a torch tensor, without importing torch
            values = values.detach().cpu().numpy()
        return np.asarray(values)
    except (TypeError, ValueError) as error:
        raise DataError(f"cannot be read as an array: {error}") from error


def column(name: str, values: object, samples: int) -> NDArray[Any]:
    """A column of ``samples`` values.

    Raises:
        DataError: not one value a sample, or objects.
    """
    array = as_array(values)
    if array.dtype == object:
        raise DataError(f"column {name!r} holds objects; use integers or text")
    if array.ndim != 1:
        raise DataError(f"column {name!r} has shape {array.shape}; it needs one value a sample")
    if len(array) != samples:
        raise DataError(f"column {name!r} has {len(array)} values, label has {samples}")
    return array.astype(str) if array.dtype.kind == "S" else array


def label_column(
    values: object, names: Sequence[str] | None
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Class indices 0 … C-1, shape (samples,), and the C names, from integers or text.

    Integers are read as positions in ``names`` where they all are; else the distinct values in
    ascending order are the classes.

    Raises:
        DataError: not a column of integers or text, none, less than two classes, or names that
            do not fit the values.
    """
    if values is None:
        raise DataError("the data have no label; an integer or text per sample is needed")
    raw = as_array(values)
    label = column("label", raw, len(raw) if raw.ndim else 0)
    if label.dtype.kind not in _INTEGERS + _TEXT:
        raise DataError(
            f"label has type {label.dtype}; classes must be integers or text (cast whole numbers "
            "with .astype('int64'))"
        )
    if not len(label):
        raise DataError("the data are empty: label has 0 values")
    found, index = np.unique(label, return_inverse=True)
    if len(found) < 2:
        raise DataError(f"label has a single class, {found[0]}; at least two are needed")
    if names is None:
        return index.astype(np.int64), tuple(str(value) for value in found)
    given = tuple(str(name) for name in as_array(names).astype(str))
    return _place(found, given)[index], given


def _place(found: NDArray[Any], names: tuple[str, ...]) -> NDArray[np.int64]:
    """The position in ``names`` of each distinct label value."""
    if len(set(names)) != len(names):
        raise DataError(f"label_names repeats a name: {', '.join(names)}")
    if found.dtype.kind in _TEXT:
        foreign = [str(value) for value in found if str(value) not in names]
        if foreign:
            raise DataError(f"label {foreign[0]!r} is not in label_names: {', '.join(names)}")
        return np.array([names.index(str(value)) for value in found], dtype=np.int64)
    if found[0] >= 0 and found[-1] < len(names):
        return found.astype(np.int64)
    if len(found) == len(names):
        return np.arange(len(names), dtype=np.int64)
    raise DataError(
        f"label_names has {len(names)} names, but label holds {len(found)} values from "
        f"{found[0]} to {found[-1]}"
    )


def subject_column(
    name: str, values: object, samples: int
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Subject numbers, shape (samples,); text is numbered from 0 and its names are returned.

    Raises:
        DataError: not a column of integers or text.
    """
    array = column(name, values, samples)
    if array.dtype.kind in _INTEGERS:
        return array.astype(np.int64), ()
    if array.dtype.kind not in _TEXT:
        raise DataError(f"subject column {name!r} has type {array.dtype}; use integers or text")
    found, index = np.unique(array, return_inverse=True)
    return index.astype(np.int64), tuple(str(value) for value in found)


def test_column(values: object, samples: int) -> NDArray[np.bool_]:
    """The test mark as booleans, shape (samples,).

    Raises:
        DataError: not a column of booleans or of 0 and 1.
    """
    array = column("is_test", values, samples)
    if array.dtype.kind not in _INTEGERS or not np.isin(array, (0, 1)).all():
        raise DataError("is_test must hold booleans (or 0 and 1), one a sample")
    return array.astype(np.bool_)
