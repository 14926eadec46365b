"""An agent's own identity: its certificate and key, or a bare name where nothing is signed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import ec

from parse_dfl.errors import IdentityError
from parse_dfl.peers.authority import Authority, Rejected, VerifiedPeer, sign
from parse_dfl.peers.certificates import (
    CA_CERTIFICATE,
    CERTIFICATE,
    KEY,
    check_name,
    read,
    read_key,
)
from parse_dfl.process import command


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
        """None."""
        return b""

    @property
    def certificate(self) -> bytes:
        """None."""
        return b""

    def sign(self, data: bytes) -> bytes:  # noqa: ARG002
        """Return no signature."""
        return b""

    def check_validity(self, now: float) -> None:
        """Return: nothing expires."""


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
