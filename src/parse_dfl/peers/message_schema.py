"""What tensors a branch's messages hold, and how they are laid out: as a safetensors file.

The layout follows from the schema alone, so a payload is taken only if it begins with exactly
those bytes; no length and no offset that a sender wrote is ever followed.  The library reads
what is written here and writes the same bytes, but takes three times as long as a signature.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import blake2b
from math import isfinite, prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from parse_dfl.peers.rejection import Reason, Rejected

_DTYPES = {torch.float32: "F32", torch.float64: "F64"}
"""The types of number that travel, by the names of safetensors."""

_NUMPY: Mapping[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F64": np.dtype("<f8")}
_ALIGNMENT = 8
MOST_LAYOUT_BYTES = 64 * 1024
"""Of a layout that is looked into to say what is wrong with it."""


@dataclass(frozen=True)
class TensorSpec:
    """One tensor: ``dtype`` is ``F32`` or ``F64``."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """Of its numbers, without any framing."""
        return _NUMPY[self.dtype].itemsize * prod(self.shape)


@dataclass(frozen=True)
class Schema:
    """The tensors of a message by name, in the order in which they lie: wide types first."""

    tensors: tuple[tuple[str, TensorSpec], ...]

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> Schema:
        """The schema of given tensors, of float32 or float64."""
        return _schema(tuple((name, each.dtype, each.shape) for name, each in tensors.items()))

    @property
    def payload_bytes(self) -> int:
        """Of all numbers, without any framing."""
        return sum(spec.bytes for _, spec in self.tensors)

    @cached_property
    def digest(self) -> str:
        """16 hexadecimal digits: equal schemas, and in practice only they, have equal ones."""
        return blake2b(self.layout, digest_size=8).hexdigest()

    @cached_property
    def layout(self) -> bytes:
        """What a payload begins with: the length of a JSON object, and it, padded to 8 bytes."""
        told: dict[str, Any] = {}
        begin = 0
        for name, spec in self.tensors:
            end = begin + spec.bytes
            told[name] = {"dtype": spec.dtype, "shape": spec.shape, "data_offsets": [begin, end]}
            begin = end
        text = json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode()
        text += b" " * (-len(text) % _ALIGNMENT)
        return len(text).to_bytes(8, "little") + text

    def payload(self, tensors: Mapping[str, Tensor]) -> list[bytes | memoryview]:
        """Tensors of this schema as a payload, in parts to be joined; numbers are not copied."""
        arrays = [(tensors[name].detach().cpu().numpy(), spec) for name, spec in self.tensors]
        return [self.layout, *(_bytes_of(array, spec) for array, spec in arrays)]

    def read(self, payload: memoryview) -> dict[str, Tensor]:
        """The tensors of a payload, whose numbers are all finite.

        Raises:
            Rejected: it is not of this schema (``schema``, ``dtype``, ``shape``), is damaged
                (``framing``), or holds other numbers (``values``).
        """
        if payload[: len(self.layout)] != self.layout:
            raise self._difference(payload)
        if len(payload) != len(self.layout) + self.payload_bytes:
            raise Rejected(Reason.FRAMING, "a payload of another length than its tensors")
        tensors: dict[str, Tensor] = {}
        place = len(self.layout)
        for name, spec in self.tensors:
            tensors[name] = _finite(name, _tensor(payload[place : place + spec.bytes], spec))
            place += spec.bytes
        return tensors

    def _difference(self, payload: memoryview) -> Rejected:
        """What is wrong with a payload that begins otherwise."""
        size = int.from_bytes(payload[:8], "little")
        told = read_json(bytes(payload[8 : 8 + min(size, MOST_LAYOUT_BYTES)]), "the payload")
        expected = dict(self.tensors)
        if set(told) != set(expected):
            return Rejected(Reason.SCHEMA, f"tensors {sorted(told)}, not {sorted(expected)}")
        for name, spec in expected.items():
            own = told[name] if isinstance(told[name], dict) else {}
            if own.get("dtype") != spec.dtype:
                return Rejected(Reason.DTYPE, f"{name} of another type than {spec.dtype}")
            if own.get("shape") != list(spec.shape):
                return Rejected(Reason.SHAPE, f"{name} of another shape than {list(spec.shape)}")
        return Rejected(Reason.FRAMING, "a payload that is not laid out canonically")


@lru_cache(maxsize=256)
def _schema(tensors: tuple[tuple[str, torch.dtype, torch.Size], ...]) -> Schema:
    """Cached, since a branch's layout and digest are the same round after round."""
    specs = {name: TensorSpec(_DTYPES[dtype], tuple(shape)) for name, dtype, shape in tensors}
    wide_first = sorted(specs, key=lambda name: (-_NUMPY[specs[name].dtype].itemsize, name))
    return Schema(tuple((name, specs[name]) for name in wide_first))


def read_json(data: bytes, what: str) -> dict[str, Any]:
    """The JSON object in bytes that a stranger wrote, few enough to be read at once.

    Raises:
        Rejected: it is none (``framing``).
    """
    try:
        values = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Rejected(Reason.FRAMING, f"{what} holds no JSON where it should") from error
    if not isinstance(values, dict):
        raise Rejected(Reason.FRAMING, f"{what} holds no JSON object where it should")
    return values


def _bytes_of(array: NDArray[Any], spec: TensorSpec) -> memoryview:
    return np.ascontiguousarray(array, _NUMPY[spec.dtype]).data


def _tensor(data: memoryview, spec: TensorSpec) -> Tensor:
    wire = _NUMPY[spec.dtype]
    array = np.frombuffer(data, wire).astype(wire.newbyteorder("="))
    return torch.from_numpy(array).reshape(spec.shape)


def _finite(name: str, value: Tensor) -> Tensor:
    """The least and the largest number show NaN and infinity, fifteen times faster than a mask."""
    if value.numel() and not all(isfinite(float(edge)) for edge in torch.aminmax(value)):
        raise Rejected(Reason.VALUES, f"{name} holds NaN or infinite numbers")
    return value
