"""Files that are either whole or not there: written beside their place, then moved into it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from parse_dfl.errors import OutputError


def write_atomically(path: Path, content: bytes | bytearray, *, mode: int = 0o644) -> None:
    """Write ``content`` to ``path`` so that a kill or a full disk never leaves half a file.

    ``mode`` are its permissions; nobody else can read it before it has them.

    Raises:
        OutputError: the folder is missing or read-only, or the disk is full; what stood at
            ``path`` before is still there.
    """
    temporary: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
            temporary = Path(file.name)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)  # temporary files are born private
        temporary.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def cannot_write(path: Path, error: OSError) -> OutputError:
    """The error for a file or folder that the system refuses to write, with its reason."""
    return OutputError(f"cannot write {path}: {error.strerror or error}")
