"""Read ``.npz`` files that follow the convention, without ever unpickling.

A file holds an array per modality, samples first, and ``label``; optional are ``subject``,
``is_test`` and ``label_names``.  Any other array of one value a sample is a column (a *key*, such
as ``trial``), not a modality, unless it is asked for as one.
What can be neither is ignored, and the data say so; it is refused only where it is asked for.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from parse_dfl.agents import modality_key
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.data.kinds import kind_of_shape, kinds_by_key
from parse_dfl.data.mapping import from_mapping
from parse_dfl.errors import ConfigError, DataError, nearest
from parse_dfl.text import showable

_DAMAGE = (
    ValueError, OSError, EOFError, MemoryError, NotImplementedError, RuntimeError,
    zipfile.BadZipFile, zlib.error, OverflowError, SyntaxError, TypeError, KeyError,
    struct.error,
)  # fmt: skip
"""Everything that numpy and zipfile raise on a file that is not what it should be."""

_ARRAY = ".npy"
_SYSTEM_FOLDER = "__MACOSX"
PICKLED = "pickled (an object array), which is never read"


@dataclass(frozen=True)
class Archive:
    """The content of a ``.npz`` file: ``arrays`` by name, and why other members are ``ignored``."""

    path: Path
    arrays: Mapping[str, NDArray[Any]]
    ignored: Mapping[str, str]

    def require(self, names: Iterable[str]) -> None:
        """Check that all arrays of these ``names`` can be used.

        Raises:
            DataError: one is missing, or is not an array that is read.
        """
        for name in names:
            if name in self.ignored:
                raise DataError(
                    f"array {name!r} of {str(self.path)!r} is {self.ignored[name]}; save numbers "
                    "or text of a fixed type by numpy.savez"
                )
            if name not in self.arrays:
                raise DataError(
                    f"{str(self.path)!r} has no array {name!r}{nearest(name, self.arrays)}"
                )

    def take(self, names: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Return the arrays of these ``names``; see :meth:`require`."""
        self.require(names)
        return {name: self.arrays[name] for name in names}


def read_npz(path: Path) -> Archive:
    """Read every array of the file, by name; folders, notes and pickled arrays are left aside.

    Raises:
        DataError: the file is missing, is no ``.npz``, is damaged or cut off, or holds two arrays
            of one name.
    """
    if not _is_file(path):
        raise DataError(f"no file {str(path)!r}")
    arrays: dict[str, NDArray[Any]] = {}
    ignored: dict[str, str] = {}
    with _open(path) as file, _archive(path, file) as archive:
        for member in _members(path, archive):
            name = showable(_name(member))
            if why := _no_array(member):
                ignored[name] = why
                continue
            array = _read_array(path, archive, member)
            if isinstance(array, str):
                ignored[name] = array
            else:
                arrays[name] = array
    return Archive(path, arrays, ignored)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long a name, or a zero byte in it
        return False


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise DataError(f"cannot open {str(path)!r}: {_reason(error)}") from error


def _archive(path: Path, file: BinaryIO) -> NpzFile:
    try:
        opened = np.load(file, allow_pickle=False)
    except _DAMAGE as error:
        # What begins like no archive, numpy takes for a pickle, and offers to load it.
        why = "it is no zip archive" if "pickle" in str(error) else _reason(error)
        raise DataError(f"{str(path)!r} is not a readable .npz file: {why}") from error
    if not isinstance(opened, NpzFile):
        raise DataError(f"{str(path)!r} is not a .npz file but a single array; use numpy.savez")
    return opened


def _members(path: Path, archive: NpzFile) -> list[str]:
    """Return the members of the archive, whose names differ, with and without their ending."""
    assert archive.zip is not None, "it is open"
    members = archive.zip.namelist()
    seen: dict[str, str] = {}
    for member in members:
        name = _name(member)
        if name in seen and not _no_array(member):
            both = "" if seen[name] == member else f" (as {seen[name]!r} and {member!r})"
            raise DataError(
                f"{str(path)!r} holds two arrays called {name!r}{both}; save each name once"
            )
        seen[name] = member
    return members


def _name(member: str) -> str:
    return member.removesuffix(_ARRAY)


def _no_array(member: str) -> str:
    """Return why a member is no array, by its name alone; empty: it may be one."""
    if member.endswith("/"):
        return "a folder"
    parts = PurePosixPath(member).parts
    if _SYSTEM_FOLDER in parts or (parts and parts[-1].startswith("._")):
        return "a system's own file"
    return ""


def _read_array(path: Path, archive: NpzFile, member: str) -> NDArray[Any] | str:
    """Return the array of a member, or why it is none."""
    name = _name(member)
    try:
        array = archive[member]
    except _DAMAGE as error:
        if "allow_pickle" in str(error):
            return PICKLED
        raise DataError(f"array {name!r} of {str(path)!r} is damaged: {_reason(error)}") from error
    if not isinstance(array, np.ndarray):
        return "not a numpy array"
    return array


def _reason(error: Exception) -> str:
    return str(error).split("\n")[0] or type(error).__name__


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
    """Read the data set of a file that follows the convention.

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
    archive.require(array for array in (*RESERVED, *columns) if array in archive.ignored)
    try:
        return _data(archive, name or path.stem, set(modalities), kinds_by_key(kinds or {}))
    except DataError as error:
        raise DataError(f"{str(path)!r}: {error}") from error


def _data(
    archive: Archive, name: str, modalities: set[str], kinds: Mapping[str, str]
) -> MultimodalData:
    wanted = {_key(modality) for modality in (*modalities, *kinds)}
    archive.require(array for array in archive.ignored if _key(array) in wanted)
    arrays = archive.arrays
    label, ignored = arrays["label"], dict(archive.ignored)
    samples = len(label) if label.ndim else 0
    taken: dict[str, NDArray[Any]] = {}
    keys: dict[str, NDArray[Any]] = {}
    for title, array in arrays.items():
        if title in RESERVED:
            continue
        if _key(title) in wanted:
            taken[title] = array
        elif why := _unusable(array, samples):
            ignored[title] = why
        elif array.ndim == 1:
            keys[title] = array
        elif modalities and (why := _of_no_kind(title, array)):
            ignored[title] = why
        else:
            taken[title] = array
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
    """Return why an array is neither a modality nor a column by itself; empty: it is one."""
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
    """Return why an array beside the modalities that are asked for cannot be laid out."""
    try:
        kind_of_shape(name, tuple(array.shape[1:]))
    except DataError:
        return f"not asked for, and {array.shape[1:]} a sample does not tell its kind"
    return ""


def _key(name: str) -> str:
    """Return the key of a modality's name, or a name that can be none as it is."""
    try:
        return modality_key(name)
    except ConfigError:
        return name


def _listed(ignored: Mapping[str, str]) -> str:
    reasons = "; ".join(f"{name} ({why})" for name, why in ignored.items())
    return f"; ignored: {reasons}" if reasons else ""
