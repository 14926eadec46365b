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
    """A numpy array of anything array-like; torch tensors leave their device and graph, and
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


def showable(text: str) -> str:
    """``text`` that every output can hold: lone surrogates, as in file names that are not UTF-8,
    are written as their numbers."""
    return text.encode("utf-8", "backslashreplace").decode()


def text_of(array: NDArray[Any]) -> NDArray[np.str_]:
    """Text or bytes as text that can be shown; bytes are UTF-8 or, where they are not, Latin-1."""
    if array.dtype.kind == "S":
        try:
            array = np.char.decode(array, "utf-8")
        except UnicodeDecodeError:
            array = np.char.decode(array, "latin-1")
    texts = [showable(str(value)) for value in array.ravel()]
    return np.array(texts, dtype=np.str_).reshape(array.shape)


def _of_one_type(array: NDArray[Any]) -> NDArray[Any]:
    """An array of objects, as tables give, as numbers or text where all of them are such."""
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
    """A column of ``samples`` values.

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
    """None, NaN and what tables put where nothing is known."""
    try:
        return value is None or bool(value != value)
    except TypeError:  # pandas.NA, which is neither true nor false
        return True
    except ValueError:  # an array
        return False


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
    found, index = np.unique(label, return_inverse=True)
    if len(found) < 2:
        raise DataError(f"label has a single class, {found[0]}; at least two are needed")
    told = tuple(str(value) for value in found)
    if order is not None and set(told) <= set(order):
        given = tuple(name for name in order if name in told)
        return _place(np.array(told), given)[index], given
    if names is None:
        return index.astype(np.int64), told
    given = _names(names)
    return _place(found, given)[index], given


def _names(names: object) -> tuple[str, ...]:
    """The class names of a list or an array of one axis."""
    array = as_array(names)
    if array.ndim != 1:
        raise DataError(f"label_names has shape {array.shape}; it needs one axis, a name a class")
    if array.dtype.kind not in _INTEGERS + _TEXT:
        raise DataError(f"label_names has type {array.dtype}; use text")
    return tuple(str(name) for name in (text_of(array) if array.dtype.kind in _TEXT else array))


def _of_one_hot(values: NDArray[Any]) -> NDArray[Any]:
    """The class of each row, shape (samples,), where each marks exactly one by 1."""
    is_number = values.dtype.kind in _INTEGERS + "f"
    if not is_number or not np.isin(values, (0, 1)).all() or (values.sum(axis=1) != 1).any():
        raise DataError(
            f"label has shape {values.shape}; it needs one value a sample, or one-hot rows: a "
            "single 1 among zeros"
        )
    return values.argmax(axis=1)


def _categories(values: object) -> tuple[str, ...] | None:
    """The categories of a categorical column, in their order, without importing pandas."""
    found = getattr(getattr(values, "cat", values), "categories", None)
    return None if found is None else tuple(str(name) for name in found)


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
