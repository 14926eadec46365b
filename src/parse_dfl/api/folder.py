"""The folder behind a result: temporary until it is saved."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path

from parse_dfl.errors import OutputError
from parse_dfl.runs.folder import output_folder


class RecordFolder:
    """A folder of records; a temporary one is removed with the last object that holds it."""

    def __init__(self, path: Path, *, temporary: bool) -> None:
        self.path = path
        self._remove = (
            weakref.finalize(self, shutil.rmtree, path, ignore_errors=True) if temporary else None
        )

    @classmethod
    def at(cls, out: str | Path | None, *, overwrite: bool = False) -> RecordFolder:
        """Return the folder ``out``, or with None a new temporary one.

        Raises:
            OutputError: ``out`` is not empty, and ``overwrite`` is not given.
        """
        if out is None:
            return cls(Path(tempfile.mkdtemp(prefix="parse-dfl-")), temporary=True)
        _refuse_full(Path(out), overwrite=overwrite)
        return cls(Path(out), temporary=False)

    @property
    def temporary(self) -> bool:
        """Whether the folder vanishes with its last holder."""
        return self._remove is not None

    def remove(self) -> None:
        """Remove a temporary folder now."""
        if self._remove:
            self._remove()

    def save(self, part: str, target: str | Path, *, overwrite: bool) -> Path:
        """Copy what lies under ``part`` to ``target``; a whole folder then stays there.

        Raises:
            OutputError: the target is not empty, holds something else, or cannot be written.
        """
        target, source = Path(target), self.path / part
        if target.resolve() == source.resolve():
            return target
        _refuse_full(target, overwrite=overwrite)
        with output_folder(target, overwrite=overwrite, resume=False):
            try:
                shutil.copytree(source, target, dirs_exist_ok=True)
            except (OSError, shutil.Error) as error:
                raise OutputError(f"cannot write to {target}: {error}") from error
        if self._remove and not part:
            self._remove()
            self._remove = None
            self.path = target
        return target


def _refuse_full(target: Path, *, overwrite: bool) -> None:
    if target.is_dir() and any(target.iterdir()) and not overwrite:
        raise OutputError(
            f"{target} is not empty; give overwrite=True to replace the run there, or name "
            "another folder"
        )
