"""What tensors a branch's messages hold: their names, types and shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from math import prod

import torch
from torch import Tensor

BYTES = {"F32": 4, "F64": 8}
"""The types of number that travel, by the names of safetensors → bytes of one."""

_NAMES = {torch.float32: "F32", torch.float64: "F64"}


@dataclass(frozen=True)
class TensorSpec:
    """One tensor: ``dtype`` is ``F32`` or ``F64``."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """Of its numbers, without any framing."""
        return BYTES[self.dtype] * prod(self.shape)


@dataclass(frozen=True)
class Schema:
    """The tensors of a message by name, sorted."""

    tensors: tuple[tuple[str, TensorSpec], ...]

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> Schema:
        """The schema of given tensors, of float32 or float64."""
        return cls(
            tuple(
                (name, TensorSpec(_NAMES[value.dtype], tuple(value.shape)))
                for name, value in sorted(tensors.items())
            )
        )

    @property
    def payload_bytes(self) -> int:
        """Of all numbers, without any framing."""
        return sum(spec.bytes for _, spec in self.tensors)

    @property
    def digest(self) -> str:
        """16 hexadecimal digits: equal schemas, and in practice only they, have equal ones."""
        return blake2b(repr(self.tensors).encode(), digest_size=8).hexdigest()
