"""Files that are either whole or not there: written beside their place, then moved into it."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from parse_dfl.errors import OutputError


def json_text(content: Any, *, indent: int | None = None) -> str:
    """Return ``content`` as JSON, which has no NaN and no infinity: null stands in for them.

    Names of files that are not UTF-8 are escaped, so that the text can be written and read back.
    """
    plain = _finite(content)
    text = json.dumps(plain, indent=indent, ensure_ascii=False, allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(plain, indent=indent, allow_nan=False)
    return text


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return value


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
