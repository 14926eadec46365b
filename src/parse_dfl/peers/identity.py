"""Identify an agent, and sign and read records about it.

An identity is a certificate with its key, or a bare name where nothing is signed.  A signed record
is read by whoever meets it first, with the certificate that it takes to believe it:

    bytes of the body u16 | bytes of the signature u8 | body | signature | certificate

The body is canonical JSON of an object that says who speaks (``name``), of what federation and
about what (``about``).
"""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cryptography.hazmat.primitives.asymmetric import ec

from parse_dfl.errors import IdentityError
from parse_dfl.peers.authority import (
    MOST_CERTIFICATE_BYTES,
    Authority,
    Reason,
    Rejected,
    VerifiedPeer,
    sign,
)
from parse_dfl.peers.certificates import (
    CA_CERTIFICATE,
    CERTIFICATE,
    KEY,
    check_name,
    read,
    read_key,
)
from parse_dfl.process import command

_PREFIX = struct.Struct(">HB")
MOST_BODY_BYTES = 48 << 10
MOST_RECORD_BYTES = _PREFIX.size + MOST_BODY_BYTES + 256 + MOST_CERTIFICATE_BYTES


class Signer(Protocol):
    """An identity that can sign messages."""

    @property
    def name(self) -> str:
        """The agent's name."""
        ...

    @property
    def federation(self) -> str:
        """The federation that it belongs to."""
        ...

    @property
    def fingerprint(self) -> bytes:
        """The SHA-256 of its certificate, 32 bytes; empty: it signs nothing."""
        ...

    @property
    def certificate(self) -> bytes:
        """Its certificate in PEM format, to be shown once to all who receive from it."""
        ...

    def sign(self, data: bytes) -> bytes:
        """Return the signature of ``data``, 64 bytes; empty of one that signs nothing."""
        ...


@dataclass(frozen=True)
class Insecure:
    """An agent without certificate, for runs on one machine: it signs nothing."""

    name: str
    federation: str

    def __post_init__(self) -> None:
        check_name("agent", self.name)
        check_name("federation", self.federation)

    @property
    def fingerprint(self) -> bytes:
        """Empty: nothing is signed."""
        return b""

    @property
    def certificate(self) -> bytes:
        """Empty: nothing is signed."""
        return b""

    def sign(self, data: bytes) -> bytes:  # noqa: ARG002
        """Return no signature."""
        return b""

    def check_validity(self, now: float) -> None:
        """Accept: nothing expires."""


@dataclass(frozen=True)
class Identity:
    """An agent's own certificate and key, read from the folder that ``cert issue`` wrote."""

    verified: VerifiedPeer
    certificate: bytes  # in PEM format
    folder: Path
    _key: ec.EllipticCurvePrivateKey

    @classmethod
    def load(cls, folder: Path, now: float | None = None) -> Identity:
        """Read ``cert.pem``, ``key.pem`` and ``ca.pem``.

        Args:
            folder: where they lie.
            now: seconds since 1970; None: now.

        Raises:
            IdentityError: a file is missing or unreadable, the certificate is expired, not valid
                yet, not by ``ca.pem``, or not of the key.
        """
        key, certificate = read_key(folder / KEY), read(folder / CERTIFICATE)
        authority = Authority.load(folder / CA_CERTIFICATE)
        try:
            verified = authority.check(certificate, time.time() if now is None else now)
        except Rejected as refusal:
            raise IdentityError(
                f"{folder / CERTIFICATE} cannot be used: {refusal.detail}; "
                f"issue another: {command('cert', 'issue')}"
            ) from refusal
        if verified.key != key.public_key():
            raise IdentityError(
                f"{KEY} in {folder} is not the key of {CERTIFICATE}; "
                f"issue both again: {command('cert', 'issue', verified.name)}"
            )
        return cls(verified, certificate, folder, key)

    @property
    def name(self) -> str:
        """The agent's name."""
        return self.verified.name

    @property
    def federation(self) -> str:
        """The federation that it belongs to."""
        return self.verified.federation

    @property
    def fingerprint(self) -> bytes:
        """The SHA-256 of the certificate, 32 bytes."""
        return self.verified.fingerprint

    def check_validity(self, now: float) -> None:
        """Check that the certificate is valid at ``now``, in seconds since 1970.

        Raises:
            IdentityError: it is not.
        """
        try:
            self.verified.check_validity(now)
        except Rejected as refusal:
            raise IdentityError(
                f"{refusal.detail}, others refuse what this agent sends; issue another "
                f"({command('cert', 'issue', self.name)}) and start again: it goes on from its "
                "checkpoint"
            ) from refusal

    def authority(self) -> Authority:
        """Return the federation's authority, to check others by."""
        return Authority.load(self.folder / CA_CERTIFICATE)

    def sign(self, data: bytes) -> bytes:
        """Return the signature of ``data``, 64 bytes."""
        return sign(self._key, data)


def load_identity(name: str, *, federation: str, certificates: Path | None) -> Identity | Insecure:
    """Load the identity of the agent ``name`` from its folder of certificates; without one it is
    insecure.

    Raises:
        IdentityError: the certificate cannot be used, or is another agent's.
        ConfigError: a name cannot be one.
    """
    if certificates is None:
        return Insecure(name, federation)
    identity = Identity.load(certificates)
    if identity.name != name:
        raise IdentityError(
            f"the certificate in {certificates} is of {identity.name!r}, the file names "
            f"the agent {name!r}; use that agent's certificate"
        )
    return identity


def seal(about: str, content: Mapping[str, Any], identity: Signer) -> bytes:
    """Return ``content`` as a record signed by ``identity``."""
    record = {**content, "about": about, "name": identity.name, "federation": identity.federation}
    body = json.dumps(record, sort_keys=True, separators=(",", ":")).encode()
    assert len(body) <= MOST_BODY_BYTES, "facts about an agent are few"
    signature = identity.sign(body)
    return _PREFIX.pack(len(body), len(signature)) + body + signature + identity.certificate


def unseal(
    about: str, data: bytes, *, federation: str, authority: Authority | None, now: float
) -> dict[str, Any]:
    """Return the content of a record of :func:`seal`, if the agent that it names has signed it.

    Args:
        about: what it must be about.
        data: from the network.
        federation: the federation that it must be of.
        authority: checks the certificate; None: an insecure federation.
        now: seconds since 1970.

    Raises:
        Rejected: it is too long, malformed, about something else, of another federation, or not
            signed by whom it names.
    """
    if len(data) > MOST_RECORD_BYTES:
        raise Rejected(Reason.SIZE, f"{len(data)} bytes of facts about an agent")
    if len(data) < _PREFIX.size:
        raise Rejected(Reason.FRAMING, "no facts about an agent")
    body_bytes, signature_bytes = _PREFIX.unpack_from(data)
    body = data[_PREFIX.size : _PREFIX.size + body_bytes]
    rest = data[_PREFIX.size + body_bytes :]
    content = _json_object(body)
    if content.get("federation") != federation:
        raise Rejected(Reason.FEDERATION, "facts about an agent of another federation")
    if content.get("about") != about or not isinstance(content.get("name"), str):
        raise Rejected(Reason.FRAMING, f"no {about}")
    if authority is not None:
        peer = authority.check(rest[signature_bytes:], now)
        if peer.name != content["name"]:
            raise Rejected(Reason.SENDER, f"{peer.name} speaks as {content['name'][:64]!r}")
        peer.verify(rest[:signature_bytes], body)
    return content


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Rejected(Reason.FRAMING, "facts about an agent that are no JSON") from error
    if not isinstance(content, dict):
        raise Rejected(Reason.FRAMING, "facts about an agent that are no JSON object")
    return content
