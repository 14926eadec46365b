"""One message: a prefix of 8 bytes, a header, a payload of tensors, a signature.

    magic b"PDFL" | version u8 | bytes of the signature part u8 (0 or 96) | bytes of the header u16
    header        canonical JSON (sorted keys, no spaces, ASCII) of :class:`Header`
    payload       safetensors
    signature     SHA-256 of the sender's certificate (32) | ECDSA of all before it (64)

Integers are big-endian.  Nothing is read before its length was bounded, and no tensor before
names, types and shapes were compared with what is expected.  No pickle anywhere.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from parse_dfl.peer.identity import FINGERPRINT_BYTES, SIGNATURE_BYTES, Certified, Signer
from parse_dfl.peer.names import is_name
from parse_dfl.peer.refusals import Reason, Refusal
from parse_dfl.peer.schema import Schema, TensorSpec

MAGIC, VERSION = b"PDFL", 1
_PREFIX = struct.Struct(">4sBBH")
SIGNATURE_PART_BYTES = FINGERPRINT_BYTES + SIGNATURE_BYTES
MOST_HEADER_BYTES = 2048
MOST_TEXT = 256
"""Characters of a branch, a label or a kind."""

MOST_NUMBER = 2**53 - 1
"""Of rounds, degrees and samples: what every reader of JSON represents exactly."""

MOST_LAYOUT_BYTES = 64 * 1024
"""The part of a payload that says what tensors it holds."""


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a message is: who says what about which branch, in which round.

    ``branch`` is a branch's key as text, ``label`` the overlay's, ``degree`` the sender's number
    of neighbours there (for the Metropolis weights), ``samples`` its number of training samples,
    ``schema`` the digest of the tensors' names, types and shapes, ``kind`` what the message is
    for.
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

    def check(self) -> Header:
        """This header, where its values can be.

        Raises:
            Refusal: a value cannot be (``framing``).
        """
        for name in ("federation", "sender"):
            if not is_name(getattr(self, name)):
                raise Refusal(Reason.FRAMING, f"the {name} in the header is no name")
        for name in ("branch", "label", "kind", "schema"):
            text = getattr(self, name)
            if len(text) > MOST_TEXT or not text.isprintable():
                raise Refusal(Reason.FRAMING, f"the {name} in the header is no short text")
        for name in ("round", "degree", "samples"):
            if not 0 <= getattr(self, name) <= MOST_NUMBER:
                raise Refusal(Reason.FRAMING, f"the {name} in the header is out of its range")
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

    def verify(self, sender: Certified) -> None:
        """Return if ``sender`` signed this message, and for itself.

        Raises:
            Refusal: it did not (``signature``), or it is another agent's name (``sender``).
        """
        if sender.name != self.header.sender:
            raise Refusal(
                Reason.SENDER, f"{sender.name} signed a message of {self.header.sender!r}"
            )
        sender.verify(self._signature, self._signed)

    def tensors(self, schema: Schema) -> dict[str, Tensor]:
        """The tensors, if they are exactly what ``schema`` says and all numbers are finite.

        Raises:
            Refusal: they are not (``schema``, ``dtype``, ``shape``, ``values``), or the payload
                is no safetensors (``framing``).
        """
        if self.header.schema != schema.digest:
            raise Refusal(Reason.SCHEMA, f"tensors {self.header.schema}, not {schema.digest}")
        _check_layout(self.payload, schema)
        try:
            tensors = load(bytes(self.payload))
        except (SafetensorError, ValueError, RuntimeError, OverflowError) as error:
            raise Refusal(Reason.FRAMING, "the payload is damaged") from error
        for name, value in tensors.items():
            if not bool(torch.isfinite(value).all()):
                raise Refusal(Reason.VALUES, f"{name} holds NaN or infinite numbers")
        return tensors


def encode(header: Header, tensors: Mapping[str, Tensor], identity: Signer) -> bytes:
    """The message of these tensors, of float32 or float64, signed if ``identity`` signs.

    ``header.schema`` must be ``Schema.of(tensors).digest``.

    Raises:
        Refusal: others would refuse the header (``framing``).
    """
    told = _canonical(asdict(header.check()))
    assert len(told) <= MOST_HEADER_BYTES, "the header's texts are bounded"
    part = SIGNATURE_PART_BYTES if identity.fingerprint else 0
    ready = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    body = _PREFIX.pack(MAGIC, VERSION, part, len(told)) + told + save(ready)
    return body + identity.fingerprint + identity.sign(body)


def decode(data: bytes, *, limit_bytes: int) -> Message:
    """Read the header of a message; the payload stays as it is.

    Raises:
        Refusal: it is longer than ``limit_bytes`` (``size``), of another ``version``, or no
            message (``framing``).
    """
    if len(data) > limit_bytes:
        raise Refusal(Reason.SIZE, f"{len(data)} bytes, where {limit_bytes} are the most")
    if len(data) < _PREFIX.size or data[:4] != MAGIC:
        raise Refusal(Reason.FRAMING, "no message of this protocol")
    _, version, part, header_bytes = _PREFIX.unpack_from(data)
    if version != VERSION:
        raise Refusal(Reason.VERSION, f"version {version}, where {VERSION} is spoken")
    begin, end = _PREFIX.size + header_bytes, len(data) - part
    if part not in (0, SIGNATURE_PART_BYTES) or header_bytes > MOST_HEADER_BYTES or begin > end:
        raise Refusal(Reason.FRAMING, "lengths that do not fit")
    view = memoryview(data)
    return Message(
        _read_header(data[_PREFIX.size : begin]),
        data[end : end + FINGERPRINT_BYTES],
        view[begin:end],
        view[:end],
        data[end + FINGERPRINT_BYTES :],
    )


def most_bytes(schema: Schema) -> int:
    """A bound for a message of these tensors, to refuse longer ones unread."""
    framing = _PREFIX.size + MOST_HEADER_BYTES + 8 + MOST_LAYOUT_BYTES + SIGNATURE_PART_BYTES
    return framing + schema.payload_bytes


def _canonical(values: Mapping[str, Any]) -> bytes:
    return json.dumps(values, sort_keys=True, separators=(",", ":")).encode("ascii")


def _read_header(data: bytes) -> Header:
    values = _json(data, "the header")
    if set(values) != set(_TYPES) or any(type(values[n]) is not t for n, t in _TYPES.items()):
        raise Refusal(Reason.FRAMING, "a header of other fields")
    if _canonical(values) != data:
        raise Refusal(Reason.FRAMING, "a header that is not written canonically")
    return Header(**values).check()


def _json(data: bytes, what: str) -> dict[str, Any]:
    try:
        values = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Refusal(Reason.FRAMING, f"{what} is no JSON") from error
    if not isinstance(values, dict):
        raise Refusal(Reason.FRAMING, f"{what} is no JSON object")
    return values


def _check_layout(payload: memoryview, schema: Schema) -> None:
    """Compare what the payload says of its tensors with what is expected, before reading any."""
    size = int.from_bytes(payload[:8], "little")
    if len(payload) < 8 or size > min(MOST_LAYOUT_BYTES, len(payload) - 8):
        raise Refusal(Reason.FRAMING, "the payload is no safetensors")
    told = _json(bytes(payload[8 : 8 + size]), "the payload's layout")
    expected = dict(schema.tensors)
    if set(told) != set(expected):
        raise Refusal(Reason.SCHEMA, f"tensors {sorted(told)[:8]}, not {sorted(expected)}")
    for name, spec in expected.items():
        _compare(name, told[name], spec)
    if len(payload) != 8 + size + schema.payload_bytes:
        raise Refusal(Reason.FRAMING, "a payload of another length than its tensors")


def _compare(name: str, told: Any, spec: TensorSpec) -> None:
    told = told if isinstance(told, dict) else {}
    if told.get("dtype") != spec.dtype:
        raise Refusal(Reason.DTYPE, f"{name} of another type than {spec.dtype}")
    if told.get("shape") != list(spec.shape):
        raise Refusal(Reason.SHAPE, f"{name} of another shape than {list(spec.shape)}")
