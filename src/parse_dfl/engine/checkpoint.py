"""Write and read checkpoints: tensors with a JSON header in one safetensors file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from parse_dfl.errors import CheckpointError
from parse_dfl.io import write_atomically

FORMAT = "parse-dfl checkpoint 2"
"""The format that a checkpoint names; its number grows when the same tensors would train otherwise.

2: no feature's scale depends on others', standardised values are clipped.
"""


def check_format(path: str | Path, header: Mapping[str, Any], expected: str) -> None:
    """Refuse a file of another kind, or of another version of the program.

    Raises:
        CheckpointError: its ``format`` is not the ``expected`` one.
    """
    given, (kind, _, _) = header.get("format"), expected.rpartition(" ")
    if given == expected:
        return
    if kind == "parse-dfl checkpoint" and given is None:  # the first had no name
        given = f"{kind} 1"
    if str(given).startswith(f"{kind} "):
        raise CheckpointError(
            f"{path} is of another version of the program ({given!r}, not {expected!r}), which "
            "standardised its inputs otherwise; train anew, in another folder or with --overwrite"
        )
    wanted = kind.removeprefix("parse-dfl ")
    raise CheckpointError(f"{path} is no {wanted} file ({expected!r}); it says {given!r}")


def write_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write the tensors and the header, whole or not at all.

    Raises:
        OutputError: the folder cannot be written to, or the disk is full; ``path`` is untouched.
    """
    write_atomically(path, packed(tensors, header))


def packed(tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> bytes:
    """Return the bytes that :func:`write_tensors` writes."""
    return save(
        {name: value.detach().cpu().contiguous() for name, value in tensors.items()},
        metadata={"header": json.dumps(header)},
    )


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and the header of a file that :func:`write_tensors` wrote.

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
        raise CheckpointError(
            f"{path} is no file of parse-dfl, or is damaged: {reason}"
        ) from reason
    if not isinstance(header, dict):
        raise CheckpointError(f"{path} is no file of parse-dfl: its header is not an object")
    return tensors, header
