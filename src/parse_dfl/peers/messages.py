"""One message: a prefix of 8 bytes, a header, a payload of tensors, a signature.

    magic b"PDFL" | version u8 | bytes of the signature part u8 (0 or 96) | bytes of the header u16
    header        canonical JSON (sorted keys, no spaces, ASCII) of :class:`Header`
    payload       safetensors
    signature     SHA-256 of the sender's certificate (32) | ECDSA of the SHA-256 of all that
                  stands before these two (64)

Integers are big-endian.  Nothing is read before its length was bounded, and no tensor before
the payload's layout was compared with what is expected.  No pickle anywhere.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import Any

from torch import Tensor

from parse_dfl.peers.authority import FINGERPRINT_BYTES, VerifiedPeer
from parse_dfl.peers.identity import Signer
from parse_dfl.peers.message_schema import MOST_LAYOUT_BYTES, Schema, read_json
from parse_dfl.peers.rejection import Reason, Rejected
from parse_dfl.peers.signatures import SIGNATURE_BYTES
from parse_dfl.peers.topics import is_name

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
    """What a message is: who says what about which branch, in which round.

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
        """This header, where its values can be.

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
        """Return if ``sender`` signed this message, and for itself.

        Raises:
            Rejected: it did not (``signature``), or it is another agent's name (``sender``).
        """
        if sender.name != self.header.sender:
            raise Rejected(
                Reason.SENDER, f"{sender.name} signed a message of {self.header.sender!r}"
            )
        sender.verify(self._signature, sha256(self._signed).digest())

    def tensors(self, schema: Schema) -> dict[str, Tensor]:
        """The tensors, if they are exactly what ``schema`` says and all numbers are finite.

        Raises:
            Rejected: they are not (``schema``, ``dtype``, ``shape``, ``values``), or the payload
                is no safetensors (``framing``).
        """
        if self.header.schema != schema.digest:
            raise Rejected(Reason.SCHEMA, f"tensors {self.header.schema}, not {schema.digest}")
        return schema.read(self.payload)


def encode(header: Header, tensors: Mapping[str, Tensor], identity: Signer) -> bytes:
    """The message of these tensors, of float32 or float64, signed if ``identity`` signs.

    ``header.schema`` should be ``Schema.of(tensors).digest``, or all refuse it.

    Raises:
        Rejected: others would refuse the header (``framing``).
    """
    told, schema = _canonical(vars(header.check())), Schema.of(tensors)
    assert len(told) <= MOST_HEADER_BYTES, "the header's texts are bounded"
    part = SIGNATURE_PART_BYTES if identity.fingerprint else 0
    prefix = _PREFIX.pack(MAGIC, VERSION, part, len(told))
    parts = [prefix, told, *schema.payload(tensors)]
    if part:
        digest = sha256()
        for each in parts:
            digest.update(each)
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
    """A bound for a message of these tensors, to refuse longer ones unread."""
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
