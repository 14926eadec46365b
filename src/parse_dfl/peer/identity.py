"""Who one is, and whether others are who they say: keys, certificates, signatures.

Signatures are ECDSA over P-256 and SHA-256, as 64 bytes r | s, so that every message is longer
by the same number of bytes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.x509.oid import ExtendedKeyUsageOID

from parse_dfl.errors import IdentityError
from parse_dfl.peer.certificates import (
    CA_CERTIFICATE,
    CERTIFICATE,
    KEY,
    SCHEME,
    federation_of,
    is_p256,
    read,
    read_key,
)
from parse_dfl.peer.names import check_name, is_name
from parse_dfl.peer.refusals import Reason, Refusal

FINGERPRINT_BYTES = 32
SIGNATURE_BYTES = 64
MOST_CERTIFICATE_BYTES = 4096
"""A certificate of ours has some 900 bytes; a longer one is refused unread."""

_ECDSA = ec.ECDSA(hashes.SHA256())


class Signer(Protocol):
    """What a sender of messages must be able to do."""

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
        """The signature of ``data``, 64 bytes; empty of one that signs nothing."""
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
        """None."""
        return b""


@dataclass(frozen=True)
class Certified:
    """An agent whose certificate was checked: its key speaks for its name."""

    name: str
    federation: str
    fingerprint: bytes
    valid_from: float  # seconds since 1970
    valid_until: float
    key: ec.EllipticCurvePublicKey

    def verify(self, signature: bytes, data: bytes) -> None:
        """Return if this agent's key signed ``data``.

        Raises:
            Refusal: it did not (``signature``).
        """
        half = SIGNATURE_BYTES // 2
        r, s = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
        try:
            if len(signature) != SIGNATURE_BYTES:
                raise InvalidSignature
            self.key.verify(encode_dss_signature(r, s), data, _ECDSA)
        except InvalidSignature:
            raise Refusal(
                Reason.SIGNATURE, f"not signed with the certified key of {self.name}, or altered"
            ) from None

    def check_validity(self, now: float) -> None:
        """Return if the certificate is valid at ``now``, in seconds since 1970.

        Raises:
            Refusal: it is ``expired``, or ``premature``.
        """
        if now > self.valid_until:
            raise Refusal(
                Reason.EXPIRED,
                f"the certificate of {self.name} expired on {_day(self.valid_until)}",
            )
        if now < self.valid_from:
            raise Refusal(
                Reason.PREMATURE,
                f"the certificate of {self.name} is valid from {_day(self.valid_from)} on",
            )


class Authority:
    """The federation's authority as its agents know it: it checks the certificates of others.

    Certificates that were found good are kept by fingerprint, so that messages name theirs by 32
    bytes instead of carrying it.
    """

    def __init__(self, certificates: list[x509.Certificate]) -> None:
        self._certificates = certificates
        self.federation = federation_of(certificates[0])
        self._known: dict[bytes, Certified] = {}

    @classmethod
    def load(cls, ca_pem: Path) -> Authority:
        """The authority in a PEM file; of several, in a change of authority, any may have issued.

        Raises:
            IdentityError: the file cannot be read, or holds no authority's certificates of one
                federation.
        """
        try:
            certificates = x509.load_pem_x509_certificates(read(ca_pem))
        except ValueError as error:
            raise IdentityError(f"{ca_pem} holds no certificate in PEM format") from error
        federations = {federation_of(certificate) for certificate in certificates}
        if len(federations) != 1 or not all(_is_authority(each) for each in certificates):
            raise IdentityError(f"{ca_pem} is no authority's certificate of one federation")
        return cls(certificates)

    def check(self, certificate: bytes, now: float) -> Certified:
        """The agent that a certificate in PEM format, whoever sent it, stands for.

        Args:
            certificate: at most 4096 bytes.
            now: seconds since 1970.

        Raises:
            Refusal: it is too long (``size``), unreadable (``framing``), not by this authority or
                not for an agent (``foreign``), ``expired`` or ``premature``.
        """
        if len(certificate) > MOST_CERTIFICATE_BYTES:
            raise Refusal(Reason.SIZE, f"a certificate of {len(certificate)} bytes")
        try:
            parsed = x509.load_pem_x509_certificate(certificate)
            fingerprint = parsed.fingerprint(hashes.SHA256())
            certified = self._known.get(fingerprint) or self._checked(parsed, fingerprint)
        except (ValueError, TypeError) as error:
            raise Refusal(Reason.FRAMING, "no certificate in PEM format") from error
        certified.check_validity(now)
        self._known[fingerprint] = certified
        return certified

    def known(self, fingerprint: bytes, now: float) -> Certified:
        """The agent whose certificate :meth:`check` found good before.

        Raises:
            Refusal: it never did (``uncertified``), or it has ``expired`` since.
        """
        certified = self._known.get(fingerprint)
        if certified is None:
            raise Refusal(Reason.UNCERTIFIED, "no certificate was shown for this message")
        certified.check_validity(now)
        return certified

    def _checked(self, certificate: x509.Certificate, fingerprint: bytes) -> Certified:
        issuer = next((each for each in self._certificates if _issued(each, certificate)), None)
        key = certificate.public_key()
        if issuer is None:
            raise Refusal(
                Reason.FOREIGN, f"a certificate that the CA of {self.federation} did not issue"
            )
        if not (isinstance(key, ec.EllipticCurvePublicKey) and is_p256(key)):
            raise Refusal(Reason.FOREIGN, "a certificate for a key of another kind than P-256")
        return Certified(
            _agent(certificate, self.federation),
            self.federation,
            fingerprint,
            max(_start(certificate), _start(issuer)),
            min(_end(certificate), _end(issuer)),
            key,
        )


@dataclass(frozen=True)
class Identity:
    """An agent's own certificate and key, read from the folder that ``cert issue`` wrote."""

    certified: Certified
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
            certified = authority.check(certificate, time.time() if now is None else now)
        except Refusal as refusal:
            raise IdentityError(
                f"{folder / CERTIFICATE} cannot be used: {refusal.detail}; "
                "issue another: parse-dfl cert issue"
            ) from refusal
        if certified.key != key.public_key():
            raise IdentityError(
                f"{KEY} in {folder} is not the key of {CERTIFICATE}; "
                f"issue both again: parse-dfl cert issue {certified.name}"
            )
        return cls(certified, certificate, folder, key)

    @property
    def name(self) -> str:
        """The agent's name."""
        return self.certified.name

    @property
    def federation(self) -> str:
        """The federation that it belongs to."""
        return self.certified.federation

    @property
    def fingerprint(self) -> bytes:
        """The SHA-256 of the certificate, 32 bytes."""
        return self.certified.fingerprint

    def authority(self) -> Authority:
        """The federation's authority, to check others by."""
        return Authority.load(self.folder / CA_CERTIFICATE)

    def sign(self, data: bytes) -> bytes:
        """The signature of ``data``, 64 bytes."""
        r, s = decode_dss_signature(self._key.sign(data, _ECDSA))
        half = SIGNATURE_BYTES // 2
        return r.to_bytes(half, "big") + s.to_bytes(half, "big")


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except (x509.ExtensionNotFound, ValueError):
        return False
    return constraints.value.ca and is_p256(certificate.public_key())


def _issued(authority: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _agent(certificate: x509.Certificate, federation: str) -> str:
    """The agent that a certificate of the authority is for.

    Raises:
        Refusal: it is for none, or not for both ends of a connection (``foreign``).
    """
    try:
        extensions = certificate.extensions
        uses = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    except (x509.ExtensionNotFound, ValueError):
        uses, uris = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), []
    prefix = f"{SCHEME}{federation}/"
    agents = [uri.removeprefix(prefix) for uri in uris if uri.startswith(prefix)]
    both = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH} <= set(uses)
    if not (both and len(agents) == 1 and is_name(agents[0])):
        raise Refusal(Reason.FOREIGN, f"a certificate for no agent of {federation}")
    return agents[0]


def _start(certificate: x509.Certificate) -> float:
    return certificate.not_valid_before_utc.timestamp()


def _end(certificate: x509.Certificate) -> float:
    return certificate.not_valid_after_utc.timestamp()


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))
