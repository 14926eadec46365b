"""Encode and decode a message: a prefix of 8 bytes, a header, a payload of tensors, a signature.

    magic b"PDFL" | version u8 | bytes of the signature part u8 (0 or 96) | bytes of the header u16
    header        canonical JSON (sorted keys, no spaces, ASCII) of :class:`Header`
    payload       a safetensors file, laid out as its :class:`Schema` says
    signature     SHA-256 of the sender's certificate (32) | ECDSA of the SHA-256 of all that
                  stands before these two (64)

Integers are big-endian.  Nothing is read before its length was bounded.  A payload is taken only if
it begins with exactly the layout that follows from the receiver's own schema; no length and no
offset that a sender wrote is ever followed.  No pickle anywhere.  The library of safetensors reads
what is written here and writes the same bytes, but takes three times as long as a signature.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from hashlib import blake2b, sha256
from math import isfinite, prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from parse_dfl.peers.authority import (
    FINGERPRINT_BYTES,
    SIGNATURE_BYTES,
    Reason,
    Rejected,
    VerifiedPeer,
)
from parse_dfl.peers.certificates import is_name
from parse_dfl.peers.identity import Signer

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
        """Bytes of its numbers, without any framing."""
        return _NUMPY[self.dtype].itemsize * prod(self.shape)


@dataclass(frozen=True)
class Schema:
    """The tensors of a message by name, in the order in which they lie: wide types first."""

    tensors: tuple[tuple[str, TensorSpec], ...]

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> Schema:
        """Return the schema of given tensors, of float32 or float64."""
        return _schema(tuple((name, value.dtype, value.shape) for name, value in tensors.items()))

    @property
    def payload_bytes(self) -> int:
        """Bytes of all numbers, without any framing."""
        return sum(spec.bytes for _, spec in self.tensors)

    @cached_property
    def digest(self) -> str:
        """Hexadecimal digest, 16 digits: equal for equal schemas, and in practice only for them."""
        return blake2b(self.layout, digest_size=8).hexdigest()

    @cached_property
    def layout(self) -> bytes:
        """How a payload begins: the length of a JSON object, then it, padded to 8 bytes."""
        entries: dict[str, Any] = {}
        begin = 0
        for name, spec in self.tensors:
            end = begin + spec.bytes
            entries[name] = {"dtype": spec.dtype, "shape": spec.shape, "data_offsets": [begin, end]}
            begin = end
        text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
        text += b" " * (-len(text) % _ALIGNMENT)
        return len(text).to_bytes(8, "little") + text

    def payload(self, tensors: Mapping[str, Tensor]) -> list[bytes | memoryview]:
        """Return tensors as a payload, in parts to be joined; numbers are not copied."""
        arrays = [(tensors[name].detach().cpu().numpy(), spec) for name, spec in self.tensors]
        return [self.layout, *(_bytes_of(array, spec) for array, spec in arrays)]

    def read(self, payload: memoryview) -> dict[str, Tensor]:
        """Return the tensors of a payload, whose numbers are all finite.

        Raises:
            Rejected: it is not of this schema (``schema``, ``dtype``, ``shape``), is damaged
                (``framing``), or holds other numbers (``values``).
        """
        if payload[: len(self.layout)] != self.layout:
            raise self._difference(payload)
        if len(payload) != len(self.layout) + self.payload_bytes:
            raise Rejected(Reason.FRAMING, "a payload of another length than its tensors")
        tensors: dict[str, Tensor] = {}
        begin = len(self.layout)
        for name, spec in self.tensors:
            tensors[name] = _finite(name, _tensor(payload[begin : begin + spec.bytes], spec))
            begin += spec.bytes
        return tensors

    def _difference(self, payload: memoryview) -> Rejected:
        """Return the error of a payload that begins otherwise."""
        size = int.from_bytes(payload[:8], "little")
        entries = read_json(bytes(payload[8 : 8 + min(size, MOST_LAYOUT_BYTES)]), "the payload")
        expected = dict(self.tensors)
        if set(entries) != set(expected):
            return Rejected(Reason.SCHEMA, f"tensors {sorted(entries)}, not {sorted(expected)}")
        for name, spec in expected.items():
            entry = entries[name] if isinstance(entries[name], dict) else {}
            if entry.get("dtype") != spec.dtype:
                return Rejected(Reason.DTYPE, f"{name} of another type than {spec.dtype}")
            if entry.get("shape") != list(spec.shape):
                return Rejected(Reason.SHAPE, f"{name} of another shape than {list(spec.shape)}")
        return Rejected(Reason.FRAMING, "a payload that is not laid out canonically")


@lru_cache(maxsize=256)
def _schema(tensors: tuple[tuple[str, torch.dtype, torch.Size], ...]) -> Schema:
    """Return a schema; cached, since a branch's digest is the same round after round."""
    specs = {name: TensorSpec(_DTYPES[dtype], tuple(shape)) for name, dtype, shape in tensors}
    wide_first = sorted(specs, key=lambda name: (-_NUMPY[specs[name].dtype].itemsize, name))
    return Schema(tuple((name, specs[name]) for name in wide_first))


def read_json(data: bytes, what: str) -> dict[str, Any]:
    """Read the JSON object in bytes that a stranger wrote, few enough to be read at once.

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
    """Return ``value``; least and largest show NaN, fifteen times faster than a mask."""
    if value.numel() and not all(isfinite(float(extreme)) for extreme in torch.aminmax(value)):
        raise Rejected(Reason.VALUES, f"{name} holds NaN or infinite numbers")
    return value


MAGIC, VERSION = b"PDFL", 1
_PREFIX = struct.Struct(">4sBBH")
SIGNATURE_PART_BYTES = FINGERPRINT_BYTES + SIGNATURE_BYTES
MOST_HEADER_BYTES = 2048
MOST_TEXT = 256
"""Characters of a branch, a label or a kind."""

MOST_NUMBER = 2**53 - 1
"""Of rounds, degrees, samples and times: what every reader of JSON represents exactly."""


@dataclass(frozen=True, kw_only=True)
class Header:
    """The header of a message: who says what about which branch, in which round.

    ``branch`` is a branch's key as text, ``label`` the overlay's, ``degree`` the sender's number
    of neighbours there (for the Metropolis weights), ``samples`` its number of training samples,
    ``schema`` the digest of the tensors' names, types and shapes, ``kind`` what the message is
    for.  ``started_ms`` is when the sender's process began, in milliseconds since 1970: its rounds
    only grow from there.
    """

    federation: str
    sender: str
    branch: str
    label: str
    round: int
    degree: int
    samples: int
    schema: str
    kind: str = "slice"
    started_ms: int = 0

    def check(self) -> Header:
        """Return this header if its values can be.

        Raises:
            Rejected: a value cannot be (``framing``).
        """
        for name in ("federation", "sender"):
            if not is_name(getattr(self, name)):
                raise Rejected(Reason.FRAMING, f"the {name} in the header is no name")
        for name in ("branch", "label", "kind", "schema"):
            text = getattr(self, name)
            if len(text) > MOST_TEXT or not text.isprintable():
                raise Rejected(Reason.FRAMING, f"the {name} in the header is no short text")
        for name in ("round", "degree", "samples", "started_ms"):
            if not 0 <= getattr(self, name) <= MOST_NUMBER:
                raise Rejected(Reason.FRAMING, f"the {name} in the header is out of its range")
        return self


_TYPES = {field.name: {"str": str, "int": int}[str(field.type)] for field in fields(Header)}


@dataclass(frozen=True)
class Message:
    """A message whose header was read; its payload is raw, its signature unchecked."""

    header: Header
    fingerprint: bytes
    payload: memoryview
    _signed: memoryview  # all before the signature part
    _signature: bytes

    @property
    def is_signed(self) -> bool:
        """Whether there is a signature, good or bad."""
        return bool(self.fingerprint)

    def verify(self, sender: VerifiedPeer) -> None:
        """Check that ``sender`` signed this message, and in its own name.

        Raises:
            Rejected: it did not (``signature``), or it is another agent's name (``sender``).
        """
        if sender.name != self.header.sender:
            raise Rejected(
                Reason.SENDER, f"{sender.name} signed a message of {self.header.sender!r}"
            )
        sender.verify(self._signature, sha256(self._signed).digest())

    def tensors(self, schema: Schema) -> dict[str, Tensor]:
        """Return the tensors if they are exactly what ``schema`` says and all numbers are finite.

        Raises:
            Rejected: they are not (``schema``, ``dtype``, ``shape``, ``values``), or the payload
                is no safetensors (``framing``).
        """
        if self.header.schema != schema.digest:
            raise Rejected(Reason.SCHEMA, f"tensors {self.header.schema}, not {schema.digest}")
        return schema.read(self.payload)


def encode(header: Header, tensors: Mapping[str, Tensor], identity: Signer) -> bytes:
    """Return the message of these tensors, of float32 or float64, signed if ``identity`` signs.

    ``header.schema`` should be ``Schema.of(tensors).digest``, or all refuse it.

    Raises:
        Rejected: others would reject the header (``framing``).
    """
    canonical, schema = _canonical(vars(header.check())), Schema.of(tensors)
    assert len(canonical) <= MOST_HEADER_BYTES, "the header's texts are bounded"
    part = SIGNATURE_PART_BYTES if identity.fingerprint else 0
    prefix = _PREFIX.pack(MAGIC, VERSION, part, len(canonical))
    parts = [prefix, canonical, *schema.payload(tensors)]
    if part:
        digest = sha256()
        for piece in parts:
            digest.update(piece)
        parts += [identity.fingerprint, identity.sign(digest.digest())]
    return b"".join(parts)


def decode(data: bytes, *, limit_bytes: int) -> Message:
    """Read the header of a message; the payload stays as it is.

    Raises:
        Rejected: it is longer than ``limit_bytes`` (``size``), of another ``version``, or no
            message (``framing``).
    """
    if len(data) > limit_bytes:
        raise Rejected(Reason.SIZE, f"{len(data)} bytes, where {limit_bytes} are the most")
    if len(data) < _PREFIX.size or data[:4] != MAGIC:
        raise Rejected(Reason.FRAMING, "no message of this protocol")
    _, version, part, header_bytes = _PREFIX.unpack_from(data)
    if version != VERSION:
        raise Rejected(Reason.VERSION, f"version {version}, where {VERSION} is spoken")
    begin, end = _PREFIX.size + header_bytes, len(data) - part
    if part not in (0, SIGNATURE_PART_BYTES) or header_bytes > MOST_HEADER_BYTES or begin > end:
        raise Rejected(Reason.FRAMING, "lengths that do not fit")
    view = memoryview(data)
    return Message(
        _read_header(data[_PREFIX.size : begin]),
        data[end : end + FINGERPRINT_BYTES],
        view[begin:end],
        view[:end],
        data[end + FINGERPRINT_BYTES :],
    )


def most_bytes(schema: Schema) -> int:
    """Return a bound for a message of these tensors, to reject longer ones unread."""
    slack = MOST_HEADER_BYTES + MOST_LAYOUT_BYTES + SIGNATURE_PART_BYTES
    return _PREFIX.size + slack + schema.payload_bytes


def _canonical(values: Mapping[str, Any]) -> bytes:
    return json.dumps(values, sort_keys=True, separators=(",", ":")).encode("ascii")


def _read_header(data: bytes) -> Header:
    values = read_json(data, "the header")
    if set(values) != set(_TYPES) or any(type(values[n]) is not t for n, t in _TYPES.items()):
        raise Rejected(Reason.FRAMING, "a header of other fields")
    if _canonical(values) != data:
        raise Rejected(Reason.FRAMING, "a header that is not written canonically")
    return Header(**values).check()
