"""The file convention: a ``.npz`` with an array per modality, samples first, and ``label``.

Optional arrays: ``subject``, ``is_test``, ``label_names``.  Any other array of one value a
sample is a column (a *key*, such as ``trial``), not a modality, unless it is asked for as one.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from parse_dfl.data.dataset import MultimodalData
from parse_dfl.data.mapping import from_mapping
from parse_dfl.data.npz import read_npz
from parse_dfl.errors import DataError, nearest

RESERVED = ("label", "subject", "is_test", "label_names")


def read_convention(
    path: Path, *, name: str | None = None, modalities: Iterable[str] = ()
) -> MultimodalData:
    """The data set of a file that follows the convention.

    Args:
        path: the ``.npz`` file.
        name: what to call the set (None: the file's name without its ending).
        modalities: one-dimensional arrays to be read as modalities of one feature, not columns.

    Raises:
        DataError: what :func:`read_npz` and :func:`from_mapping` refuse, or no ``label``.
    """
    arrays = read_npz(path)
    if "label" not in arrays:
        raise DataError(f"{str(path)!r} has no array 'label'{nearest('label', arrays)}")
    others = {key: array for key, array in arrays.items() if key not in RESERVED and array.ndim}
    wanted = set(modalities)
    columns = {key for key, array in others.items() if _is_column(array) and key not in wanted}
    try:
        return from_mapping(
            name or path.stem,
            {key: array for key, array in others.items() if key not in columns},
            arrays["label"],
            subject=arrays.get("subject"),
            is_test=arrays.get("is_test"),
            label_names=arrays.get("label_names"),  # type: ignore[arg-type]
            keys={key: others[key] for key in columns},
        )
    except DataError as error:
        raise DataError(f"{str(path)!r}: {error}") from error


def _is_column(array: NDArray[Any]) -> bool:
    return array.ndim == 1
