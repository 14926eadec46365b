"""The file convention: a ``.npz`` with an array per modality, samples first, and ``label``.

Optional arrays: ``subject``, ``is_test``, ``label_names``.  Any other array of one value a
sample is a column (a *key*, such as ``trial``), not a modality, unless it is asked for as one.
What can be neither is ignored, and the data say so; it is refused only where it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from parse_dfl.data.dataset import MultimodalData
from parse_dfl.data.kinds import kind_of_shape
from parse_dfl.data.mapping import from_mapping, kinds_by_key
from parse_dfl.data.npz import Archive, read_npz
from parse_dfl.errors import ConfigError, DataError
from parse_dfl.modalities import modality_key

RESERVED = ("label", "subject", "is_test", "label_names")
_NUMBERS = "biuf"


def read_convention(
    path: Path,
    *,
    name: str | None = None,
    modalities: Iterable[str] = (),
    kinds: Mapping[str, str] | None = None,
    columns: Iterable[str] = (),
) -> MultimodalData:
    """The data set of a file that follows the convention.

    Args:
        path: the ``.npz`` file.
        name: what to call the set (None: the file's name without its ending).
        modalities: what is asked for; one-dimensional arrays among them are read as modalities of
            one feature, not columns.
        kinds: the user's own kind for some modalities, which are asked for by that.
        columns: columns that are asked for.

    Raises:
        DataError: what :func:`read_npz` and :func:`from_mapping` refuse, no ``label``, or
            something asked for that cannot be used.
    """
    archive = read_npz(path)
    archive.require(["label"])
    archive.require(each for each in (*RESERVED, *columns) if each in archive.ignored)
    try:
        return _data(archive, name or path.stem, set(modalities), kinds_by_key(kinds or {}))
    except DataError as error:
        raise DataError(f"{str(path)!r}: {error}") from error


def _data(
    archive: Archive, name: str, modalities: set[str], kinds: Mapping[str, str]
) -> MultimodalData:
    wanted = {_key(each) for each in (*modalities, *kinds)}
    archive.require(each for each in archive.ignored if _key(each) in wanted)
    arrays = archive.arrays
    label, ignored = arrays["label"], dict(archive.ignored)
    samples = len(label) if label.ndim else 0
    taken: dict[str, NDArray[Any]] = {}
    keys: dict[str, NDArray[Any]] = {}
    for each, array in arrays.items():
        if each in RESERVED:
            continue
        if _key(each) in wanted:
            taken[each] = array
        elif why := _unusable(array, samples):
            ignored[each] = why
        elif array.ndim == 1:
            keys[each] = array
        elif modalities and (why := _of_no_kind(each, array)):
            ignored[each] = why
        else:
            taken[each] = array
    if not taken:
        raise DataError(f"no array can be a modality{_listed(ignored)}")
    data = from_mapping(
        name,
        taken,
        label,
        subject=arrays.get("subject"),
        is_test=arrays.get("is_test"),
        label_names=arrays.get("label_names"),  # type: ignore[arg-type]
        kinds=kinds,
        keys=keys,
    )
    return replace(data, ignored=ignored)


def _unusable(array: NDArray[Any], samples: int) -> str:
    """Why an array that nobody asked for is neither a modality nor a column; empty: it is one."""
    if array.ndim == 0:
        return "a single value"
    if len(array) != samples:
        return f"{len(array)} rows, label has {samples}"
    if array.ndim == 1:
        return ""
    if array.dtype.kind not in _NUMBERS:
        return f"of type {array.dtype}, a modality holds real numbers"
    return "" if array.size else f"empty, its samples have shape {array.shape[1:]}"


def _of_no_kind(name: str, array: NDArray[Any]) -> str:
    """Why an array beside the modalities that are asked for cannot be laid out."""
    try:
        kind_of_shape(name, tuple(array.shape[1:]))
    except DataError:
        return f"not asked for, and {array.shape[1:]} a sample does not tell its kind"
    return ""


def _key(name: str) -> str:
    """The key of a name that may be none of a modality."""
    try:
        return modality_key(name)
    except ConfigError:
        return name


def _listed(ignored: Mapping[str, str]) -> str:
    return (
        "; ignored: " + "; ".join(f"{n} ({why})" for n, why in ignored.items()) if ignored else ""
    )
