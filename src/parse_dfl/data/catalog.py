"""Load data sets by name or by path.

Names are, in this order: the built-in sets, the sets that need an adapter, and any folder
``NAME/data.npz`` or file ``NAME.npz`` of the convention in the data folder (``--data-dir``, or the
environment variable ``PARSE_DFL_DATA``).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from parse_dfl.agents import modality_key
from parse_dfl.data.adapters import ADAPTERS
from parse_dfl.data.built_in import BUILT_IN
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.data.npz_format import read_convention
from parse_dfl.errors import DataError, nearest

DATA_VARIABLE = "PARSE_DFL_DATA"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A set that can be loaded by name."""

    name: str
    description: str
    where: str


def load(
    name_or_path: str | Path,
    *,
    data_dir: str | Path | None = None,
    kinds: Mapping[str, str] | None = None,
    subject_key: str | None = None,
    modalities: Iterable[str] = (),
) -> MultimodalData:
    """Load a data set by its name (``digits:4``, ``motionsense``) or the path of its ``.npz``.

    Args:
        name_or_path: a name of :func:`available`, or a path that ends in ``.npz``.
        data_dir: where named sets lie (None: the environment's ``PARSE_DFL_DATA``).
        kinds: the user's own kind for some modalities.
        subject_key: the column to take as subject.
        modalities: what the caller means to use; checked, and one-dimensional arrays among them
            are read as modalities of one feature instead of columns.

    Raises:
        DataError: an unknown name (the nearest are offered), a file that cannot be used, an
            unknown modality, kind or column.
    """
    asked = _Asked(tuple(map(modality_key, modalities)), dict(kinds or {}), subject_key)
    data = _read(str(name_or_path), _folder(data_dir), asked)
    data.require(asked.modalities)
    return data.with_subject(subject_key) if subject_key else data


def available(data_dir: str | Path | None = None) -> list[Entry]:
    """Return every set that can be loaded by name from here."""
    built_in = [
        Entry(name=name, description=entry.description, where="built in")
        for name, entry in BUILT_IN.items()
    ]
    folder = _folder(data_dir)
    if folder is None:
        return built_in
    adapted = [
        Entry(name=name, description=adapter.description, where=str(folder / adapter.folder))
        for name, adapter in ADAPTERS.items()
        if (folder / adapter.folder).is_dir()
    ]
    plain = [
        Entry(name=name, description=_first_line(path), where=str(path))
        for name, path in _convention_files(folder).items()
    ]
    return built_in + sorted(adapted + plain, key=lambda entry: entry.name)


@dataclass(frozen=True)
class _Asked:
    """The parts of a set that the caller means to use."""

    modalities: tuple[str, ...]
    kinds: Mapping[str, str]
    subject_key: str | None

    def of_file(self, path: Path, name: str | None = None) -> MultimodalData:
        """Read the set of a file of the convention, whose kinds are declared before that."""
        columns = [] if self.subject_key is None else [self.subject_key]
        return read_convention(
            path, name=name, modalities=self.modalities, kinds=self.kinds, columns=columns
        )

    def of(self, data: MultimodalData) -> MultimodalData:
        """Return a set that declares its own kinds, with those of the caller."""
        return data.with_kinds(self.kinds) if self.kinds else data


def _read(name: str, folder: Path | None, asked: _Asked) -> MultimodalData:
    if name.endswith(".npz"):
        return asked.of_file(Path(name).expanduser())
    base, _, options = name.partition(":")
    if base in BUILT_IN:
        return asked.of(BUILT_IN[base].from_string(options))
    files = {} if folder is None else _convention_files(folder)
    if name in files:
        return asked.of_file(files[name], name)
    if name in ADAPTERS and folder and (folder / ADAPTERS[name].folder).is_dir():
        return asked.of(ADAPTERS[name].read(folder / ADAPTERS[name].folder))
    raise DataError(
        f"unknown data set {name!r}{nearest(name, {*BUILT_IN, *ADAPTERS, *files})}; "
        f"{_where(folder)}, or give the path of a .npz file"
    )


def _folder(data_dir: str | Path | None) -> Path | None:
    if data_dir is None:
        variable = os.environ.get(DATA_VARIABLE)
        return Path(variable).expanduser() if variable else None
    folder = Path(data_dir).expanduser()
    if not folder.is_dir():
        raise DataError(f"data folder {str(folder)!r} does not exist")
    return folder


def _where(folder: Path | None) -> str:
    if folder is None:
        return f"no data folder is set (use --data-dir or {DATA_VARIABLE})"
    return f"looked in {str(folder)!r}"


def _convention_files(folder: Path) -> dict[str, Path]:
    """Return the sets of ``folder`` that follow the convention, by name."""
    files = {path.stem: path for path in sorted(folder.glob("*.npz"))}
    folders = {path.parent.name: path for path in sorted(folder.glob("*/data.npz"))}
    taken = {*BUILT_IN, *ADAPTERS}
    return {name: path for name, path in {**files, **folders}.items() if name not in taken}


def _first_line(path: Path) -> str:
    """Return the first line of the README beside the file, or nothing."""
    readme = path.with_name("README.md")
    if path.name != "data.npz" or not readme.is_file():
        return ""
    lines = readme.read_text(encoding="utf-8", errors="replace").splitlines()
    return lines[0].lstrip("# ").strip() if lines else ""
