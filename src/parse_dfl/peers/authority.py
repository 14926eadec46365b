"""Whether others are who they say: certificates, checked against the federation's authority."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from parse_dfl.errors import IdentityError
from parse_dfl.peers.certificates import SCHEME, federation_of, is_p256, read
from parse_dfl.peers.rejection import Reason, Rejected
from parse_dfl.peers.signatures import is_signed
from parse_dfl.peers.topics import is_name

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
        """Return if this agent's key signed ``data``.

        Raises:
            Rejected: it did not (``signature``).
        """
        if not is_signed(self.key, signature, data):
            raise Rejected(
                Reason.SIGNATURE, f"not signed with the certified key of {self.name}, or altered"
            )

    def check_validity(self, now: float) -> None:
        """Return if the certificate is valid at ``now``, in seconds since 1970.

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
        self._known: dict[bytes, VerifiedPeer] = {}

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

    def check(self, certificate: bytes, now: float) -> VerifiedPeer:
        """The agent that a certificate in PEM format, whoever sent it, stands for.

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
            certified = self._known.get(fingerprint) or self._checked(parsed, fingerprint)
        except (ValueError, TypeError) as error:
            raise Rejected(Reason.FRAMING, "no certificate in PEM format") from error
        certified.check_validity(now)
        self._known[fingerprint] = certified
        return certified

    def known(self, fingerprint: bytes, now: float) -> VerifiedPeer:
        """The agent whose certificate :meth:`check` found good before.

        Raises:
            Rejected: it never did (``uncertified``), or it has ``expired`` since.
        """
        certified = self._known.get(fingerprint)
        if certified is None:
            raise Rejected(Reason.UNCERTIFIED, "no certificate was shown for this message")
        certified.check_validity(now)
        return certified

    def _checked(self, certificate: x509.Certificate, fingerprint: bytes) -> VerifiedPeer:
        issuer = next((each for each in self._certificates if _issued(each, certificate)), None)
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
    """The agent that a certificate of the authority is for.

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
