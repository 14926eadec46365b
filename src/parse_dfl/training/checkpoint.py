"""Checkpoints: tensors with a JSON header in one safetensors file, replaced atomically."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from parse_dfl.errors import CheckpointError, OutputError


def write_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write to a temporary file, flush it to disk, and only then replace ``path``.

    Raises:
        OutputError: the folder cannot be written to, or the disk is full; ``path`` is untouched.
    """
    content = save(
        {name: value.detach().cpu().contiguous() for name, value in tensors.items()},
        metadata={"header": json.dumps(header)},
    )
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as reason:
        temporary.unlink(missing_ok=True)
        raise OutputError(f"cannot write {path}: {reason.strerror}") from reason


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the header of a file that :func:`write_tensors` wrote.

    Raises:
        CheckpointError: the file is missing, truncated, or not of this kind.
    """
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            header = json.loads((file.metadata() or {})["header"])
    except FileNotFoundError:
        raise CheckpointError(f"{path} does not exist") from None
    except (OSError, SafetensorError, KeyError, ValueError) as reason:
        raise CheckpointError(f"{path} is no file of parse-dfl, or is damaged: {reason}") from reason
    if not isinstance(header, dict):
        raise CheckpointError(f"{path} is no file of parse-dfl: its header is not an object")
    return tensors, header
