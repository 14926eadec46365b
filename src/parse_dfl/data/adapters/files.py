"""What every adapter does first: read a file and check that it holds what is expected."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from parse_dfl.data.npz_format import read_npz


def read_arrays(path: Path, names: Iterable[str]) -> dict[str, NDArray[Any]]:
    """The named arrays of the file.

    Raises:
        DataError: the file cannot be read, or lacks one of ``names``.
    """
    wanted = list(names)
    archive = read_npz(path)
    archive.require(wanted)
    return {name: archive.arrays[name] for name in wanted}
