"""Verify others by signatures and certificates, and name why something is rejected.

Certificates are checked against the federation's authority.  A signature is ECDSA over P-256 and
SHA-256, as 64 bytes r | s: all have one length, so that every message is longer by the same number
of bytes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

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
from parse_dfl.peers.certificates import SCHEME, federation_of, is_name, is_p256, read


class Reason(StrEnum):
    """The reasons for a rejection, in the order in which they are looked for."""

    SIZE = "size"  # larger than anything that is expected
    FRAMING = "framing"  # no message of this protocol, or a damaged one
    VERSION = "version"  # of a version that is not spoken here
    FEDERATION = "federation"  # of another federation
    SENDER = "sender"  # speaks for another agent than itself
    IGNORED = "ignored"  # by a sender that is ignored for a while
    BRANCH = "branch"  # of a branch or kind that is not exchanged here
    ROUND = "round"  # too old, or too far ahead
    SCHEMA = "schema"  # other tensors than the branch has
    UNCERTIFIED = "uncertified"  # unsigned, or by a certificate that was never shown
    FOREIGN = "foreign"  # by a certificate that this federation's CA did not issue for agents
    EXPIRED = "expired"  # by a certificate that is no longer valid
    PREMATURE = "premature"  # by a certificate that is not valid yet
    SIGNATURE = "signature"  # signed with another key than the certified one, or altered
    RATE = "rate"  # more messages than a sender may send
    DTYPE = "dtype"  # numbers of another type
    SHAPE = "shape"  # tensors of another shape
    VALUES = "values"  # NaN or infinite numbers


MOST_DETAIL = 200
"""Characters of a rejection's sentence: part of it may be quoted from who sent it."""


class Rejected(Exception):
    """Something that arrived is dropped, for a :class:`Reason`; never an error of this agent."""

    def __init__(self, reason: Reason, detail: str) -> None:
        self.reason = reason
        self.detail = detail[:MOST_DETAIL]
        super().__init__(f"{reason}: {self.detail}")


SIGNATURE_BYTES = 64
_HALF = SIGNATURE_BYTES // 2
_ECDSA = ec.ECDSA(hashes.SHA256())


def sign(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    """Return the signature of ``data``, 64 bytes."""
    r, s = decode_dss_signature(key.sign(data, _ECDSA))
    return r.to_bytes(_HALF, "big") + s.to_bytes(_HALF, "big")


def is_signed(key: ec.EllipticCurvePublicKey, signature: bytes, data: bytes) -> bool:
    """Return whether ``signature`` is of ``data``, by the owner of ``key``."""
    if len(signature) != SIGNATURE_BYTES:
        return False
    r, s = int.from_bytes(signature[:_HALF], "big"), int.from_bytes(signature[_HALF:], "big")
    try:
        key.verify(encode_dss_signature(r, s), data, _ECDSA)
    except InvalidSignature:
        return False
    return True


FINGERPRINT_BYTES = 32
MOST_CERTIFICATE_BYTES = 4096
"""A certificate of ours has some 900 bytes; a longer one is refused unread."""


@dataclass(frozen=True)
class VerifiedPeer:
    """An agent whose certificate was checked: its key speaks for its name."""

    name: str
    federation: str
    fingerprint: bytes
    valid_from: float  # seconds since 1970
    valid_until: float
    key: ec.EllipticCurvePublicKey

    def verify(self, signature: bytes, data: bytes) -> None:
        """Check that this agent's key signed ``data``.

        Raises:
            Rejected: it did not (``signature``).
        """
        if not is_signed(self.key, signature, data):
            raise Rejected(
                Reason.SIGNATURE, f"not signed with the certified key of {self.name}, or altered"
            )

    def check_validity(self, now: float) -> None:
        """Check that the certificate is valid at ``now``, in seconds since 1970.

        Raises:
            Rejected: it is ``expired``, or ``premature``.
        """
        if now > self.valid_until:
            raise Rejected(
                Reason.EXPIRED,
                f"the certificate of {self.name} expired on {_day(self.valid_until)}",
            )
        if now < self.valid_from:
            raise Rejected(
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
        self._verified: dict[bytes, VerifiedPeer] = {}

    @classmethod
    def load(cls, ca_pem: Path) -> Authority:
        """Read the authority in a PEM file.

        Of several certificates there, in a change of authority, any may have issued.

        Raises:
            IdentityError: the file cannot be read, or holds no authority's certificates of one
                federation.
        """
        try:
            certificates = x509.load_pem_x509_certificates(read(ca_pem))
        except ValueError as error:
            raise IdentityError(f"{ca_pem} holds no certificate in PEM format") from error
        federations = {federation_of(certificate) for certificate in certificates}
        if len(federations) != 1 or not all(
            _is_authority(certificate) for certificate in certificates
        ):
            raise IdentityError(f"{ca_pem} is no authority's certificate of one federation")
        return cls(certificates)

    def check(self, certificate: bytes, now: float) -> VerifiedPeer:
        """Return the agent that a certificate in PEM format, whoever sent it, stands for.

        Args:
            certificate: at most 4096 bytes.
            now: seconds since 1970.

        Raises:
            Rejected: it is too long (``size``), unreadable (``framing``), not by this authority or
                not for an agent (``foreign``), ``expired`` or ``premature``.
        """
        if len(certificate) > MOST_CERTIFICATE_BYTES:
            raise Rejected(Reason.SIZE, f"a certificate of {len(certificate)} bytes")
        try:
            parsed = x509.load_pem_x509_certificate(certificate)
            fingerprint = parsed.fingerprint(hashes.SHA256())
            peer = self._verified.get(fingerprint) or self._verify(parsed, fingerprint)
        except (ValueError, TypeError) as error:
            raise Rejected(Reason.FRAMING, "no certificate in PEM format") from error
        peer.check_validity(now)
        self._verified[fingerprint] = peer
        return peer

    def verified(self, fingerprint: bytes, now: float) -> VerifiedPeer:
        """Return the agent whose certificate :meth:`check` found good before.

        Raises:
            Rejected: it never did (``uncertified``), or it has ``expired`` since.
        """
        peer = self._verified.get(fingerprint)
        if peer is None:
            raise Rejected(Reason.UNCERTIFIED, "no certificate was shown for this message")
        peer.check_validity(now)
        return peer

    def _verify(self, certificate: x509.Certificate, fingerprint: bytes) -> VerifiedPeer:
        issuer = next((ca for ca in self._certificates if _issued(ca, certificate)), None)
        key = certificate.public_key()
        if issuer is None:
            raise Rejected(
                Reason.FOREIGN, f"a certificate that the CA of {self.federation} did not issue"
            )
        if not (isinstance(key, ec.EllipticCurvePublicKey) and is_p256(key)):
            raise Rejected(Reason.FOREIGN, "a certificate for a key of another kind than P-256")
        return VerifiedPeer(
            _agent(certificate, self.federation),
            self.federation,
            fingerprint,
            max(_start(certificate), _start(issuer)),
            min(_end(certificate), _end(issuer)),
            key,
        )


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
    """Return the agent that a certificate of the authority is for.

    Raises:
        Rejected: it is for none, or not for both ends of a connection (``foreign``).
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
        raise Rejected(Reason.FOREIGN, f"a certificate for no agent of {federation}")
    return agents[0]


def _start(certificate: x509.Certificate) -> float:
    return certificate.not_valid_before_utc.timestamp()


def _end(certificate: x509.Certificate) -> float:
    return certificate.not_valid_after_utc.timestamp()


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))
