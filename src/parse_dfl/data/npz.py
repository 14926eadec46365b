"""Reading ``.npz`` files without ever unpickling what is in them."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from parse_dfl.errors import DataError

_DAMAGE = (
    ValueError, OSError, EOFError, MemoryError, NotImplementedError, RuntimeError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""Everything that numpy and zipfile raise on a file that is not what it should be."""


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Every array of the file, by name.

    Raises:
        DataError: the file is missing, is no ``.npz``, is damaged or cut off, or holds a
            pickled (object) array.
    """
    if not path.is_file():
        raise DataError(f"no file {str(path)!r}")
    with _open(path) as file, _archive(path, file) as archive:
        return {name: _read_array(path, archive, name) for name in archive.files}


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise DataError(f"cannot open {str(path)!r}: {_reason(error)}") from error


def _archive(path: Path, file: BinaryIO) -> NpzFile:
    try:
        opened = np.load(file, allow_pickle=False)
    except _DAMAGE as error:
        raise DataError(f"{str(path)!r} is not a readable .npz file: {_reason(error)}") from error
    if not isinstance(opened, NpzFile):
        raise DataError(f"{str(path)!r} is not a .npz file but a single array; use numpy.savez")
    return opened


def _read_array(path: Path, archive: NpzFile, name: str) -> NDArray[Any]:
    try:
        array = archive[name]
    except _DAMAGE as error:
        if "allow_pickle" in str(error):
            raise DataError(
                f"array {name!r} of {str(path)!r} is pickled (an object array), which is never "
                "read; save numbers or text of a fixed type instead"
            ) from error
        raise DataError(f"array {name!r} of {str(path)!r} is damaged: {_reason(error)}") from error
    if not isinstance(array, np.ndarray):
        raise DataError(f"{name!r} in {str(path)!r} is not a numpy array; use numpy.savez")
    return array


def _reason(error: Exception) -> str:
    return str(error).split("\n")[0] or type(error).__name__
