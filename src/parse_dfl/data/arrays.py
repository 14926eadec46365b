"""Check the columns of a data set: one value a sample, such as label, subject and test mark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parse_dfl.errors import DataError
from parse_dfl.text import showable

_INTEGERS = "biu"
_TEXT = "US"


def as_array(values: object) -> NDArray[Any]:
    """Return anything array-like as a numpy array; torch tensors leave their device and graph, and
    objects that are all text or all numbers become such.

    Raises:
        DataError: ragged lists, or a tensor of a type that numpy lacks.
    """
    try:
        if hasattr(values, "detach"):  # a torch tensor, without importing torch
            values = values.detach().cpu().numpy()
        array = np.asarray(values)
    except (TypeError, ValueError) as error:
        raise DataError(f"cannot be read as an array: {error}") from error
    return _of_one_type(array) if array.dtype.kind in "OT" else array


def text_of(array: NDArray[Any]) -> NDArray[np.str_]:
    """Return text or bytes as text that can be shown; bytes are UTF-8, else Latin-1."""
    if array.dtype.kind == "S":
        try:
            array = np.char.decode(array, "utf-8")
        except UnicodeDecodeError:
            array = np.char.decode(array, "latin-1")
    texts = [showable(str(value)) for value in array.ravel()]
    return np.array(texts, dtype=np.str_).reshape(array.shape)


def _of_one_type(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array of objects, as tables give, as numbers or text where all of them are such."""
    kinds: tuple[tuple[type | tuple[type, ...], Any], ...] = (
        (str, np.str_),
        (bytes, np.bytes_),
        ((bool, np.bool_), np.bool_),
        ((int, np.integer), None),
        ((int, float, np.number), np.float64),
    )
    values = list(array.ravel())
    for types, dtype in kinds:
        if values and all(isinstance(value, types) for value in values):
            plain = np.array(values, dtype=dtype).reshape(array.shape)
            return plain if plain.dtype.kind != "O" else array
    return array


def column(name: str, values: object, samples: int) -> NDArray[Any]:
    """Return a column of ``samples`` values.

    Raises:
        DataError: not one value a sample, or objects.
    """
    array = as_array(values)
    if array.dtype == object:
        if missing := sum(_is_missing(value) for value in array.ravel()):
            raise DataError(f"column {name!r} has {missing} missing values; give each sample one")
        raise DataError(f"column {name!r} holds objects; use integers or text")
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise DataError(f"column {name!r} has shape {array.shape}; it needs one value a sample")
    if len(array) != samples:
        raise DataError(f"column {name!r} has {len(array)} values, label has {samples}")
    return text_of(array) if array.dtype.kind in _TEXT else array


def _is_missing(value: object) -> bool:
    """Return whether it is None, NaN or what tables put where nothing is known."""
    try:
        return value is None or bool(value != value)
    except TypeError:  # pandas.NA, which is neither true nor false
        return True
    except ValueError:  # an array
        return False


def label_column(
    values: object, names: Sequence[str] | None
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return class indices 0 … C-1, shape (samples,), and the C names, from integers or text.

    Integers are read as positions in ``names`` where they all are; else the distinct values in
    ascending order are the classes.

    Raises:
        DataError: not a column of integers or text, none, less than two classes, or names that
            do not fit the values.
    """
    if values is None:
        raise DataError("the data have no label; an integer or text per sample is needed")
    raw = as_array(values)
    order = _categories(values) if names is None else None
    if raw.ndim == 2 and raw.shape[1] > 1:
        raw = _of_one_hot(raw)
    label = column("label", raw, len(raw) if raw.ndim else 0)
    if label.dtype.kind not in _INTEGERS + _TEXT:
        raise DataError(
            f"label has type {label.dtype}; classes must be integers or text (cast whole numbers "
            "with .astype('int64'))"
        )
    if not len(label):
        raise DataError("the data are empty: label has 0 values")
    values, index = np.unique(label, return_inverse=True)
    if len(values) < 2:
        raise DataError(f"label has a single class, {values[0]}; at least two are needed")
    texts = tuple(str(value) for value in values)
    if order is not None and set(texts) <= set(order):
        classes = tuple(name for name in order if name in texts)
        return _class_of(np.array(texts), classes)[index], classes
    if names is None:
        return index.astype(np.int64), texts
    classes = _names(names)
    return _class_of(values, classes)[index], classes


def _names(names: object) -> tuple[str, ...]:
    """Return the class names of a list or an array of one axis."""
    array = as_array(names)
    if array.ndim != 1:
        raise DataError(f"label_names has shape {array.shape}; it needs one axis, a name a class")
    if array.dtype.kind not in _INTEGERS + _TEXT:
        raise DataError(f"label_names has type {array.dtype}; use text")
    return tuple(str(name) for name in (text_of(array) if array.dtype.kind in _TEXT else array))


def _of_one_hot(values: NDArray[Any]) -> NDArray[Any]:
    """Return the class of each row, shape (samples,), where each marks exactly one by 1."""
    is_number = values.dtype.kind in _INTEGERS + "f"
    if not is_number or not np.isin(values, (0, 1)).all() or (values.sum(axis=1) != 1).any():
        raise DataError(
            f"label has shape {values.shape}; it needs one value a sample, or one-hot rows: a "
            "single 1 among zeros"
        )
    return values.argmax(axis=1)


def _categories(values: object) -> tuple[str, ...] | None:
    """Return the categories of a categorical column, in their order, without importing pandas."""
    names = getattr(getattr(values, "cat", values), "categories", None)
    return None if names is None else tuple(str(name) for name in names)


def _class_of(values: NDArray[Any], names: tuple[str, ...]) -> NDArray[np.int64]:
    """Return the position in ``names`` of each distinct label value."""
    if len(set(names)) != len(names):
        raise DataError(f"label_names repeats a name: {', '.join(names)}")
    if values.dtype.kind in _TEXT:
        foreign = [str(value) for value in values if str(value) not in names]
        if foreign:
            raise DataError(f"label {foreign[0]!r} is not in label_names: {', '.join(names)}")
        return np.array([names.index(str(value)) for value in values], dtype=np.int64)
    if values[0] >= 0 and values[-1] < len(names):
        return values.astype(np.int64)
    if len(values) == len(names):
        return np.arange(len(names), dtype=np.int64)
    raise DataError(
        f"label_names has {len(names)} names, but label holds {len(values)} values from "
        f"{values[0]} to {values[-1]}"
    )


def subject_column(
    name: str, values: object, samples: int
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return subject numbers, shape (samples,); text is numbered from 0 and its names are returned.

    Raises:
        DataError: not a column of integers or text.
    """
    array = column(name, values, samples)
    if array.dtype.kind in _INTEGERS:
        return array.astype(np.int64), ()
    if array.dtype.kind not in _TEXT:
        raise DataError(f"subject column {name!r} has type {array.dtype}; use integers or text")
    names, index = np.unique(array, return_inverse=True)
    return index.astype(np.int64), tuple(str(value) for value in names)


def test_column(values: object, samples: int) -> NDArray[np.bool_]:
    """Return the test mark as booleans, shape (samples,).

    Raises:
        DataError: not a column of booleans or of 0 and 1.
    """
    array = column("is_test", values, samples)
    if array.dtype.kind not in _INTEGERS or not np.isin(array, (0, 1)).all():
        raise DataError("is_test must hold booleans (or 0 and 1), one a sample")
    return array.astype(np.bool_)
