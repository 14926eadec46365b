"""Why there is no connection: the handshake with a peer is tried by hand, to hear the reason.

Zenoh keeps trying in silence when it is refused.
"""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass

from parse_dfl.peer.certificates import CA_CERTIFICATE, CERTIFICATE, KEY
from parse_dfl.peer.identity import Identity

ALERT_PATIENCE_S = 1.0
"""A server that refuses our certificate says so just after the handshake (TLS 1.3)."""


@dataclass(frozen=True)
class Finding:
    """What came of a handshake: ``refused`` means that trying again will not help."""

    place: str
    refused: bool
    reason: str

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"


def probe(place: str, identity: Identity, *, timeout_s: float) -> Finding | None:
    """Shake hands with the peer at ``HOST:PORT`` as Zenoh would; None if both sides agree."""
    host, _, port = place.rpartition(":")
    context = ssl.create_default_context(cafile=str(identity.folder / CA_CERTIFICATE))
    context.load_cert_chain(identity.folder / CERTIFICATE, identity.folder / KEY)
    try:
        with socket.create_connection((host, int(port)), timeout=timeout_s) as plain:
            try:
                with context.wrap_socket(plain, server_hostname=host) as secure:
                    _hear_alert(secure)
            except ssl.SSLCertVerificationError as error:
                return Finding(
                    place, True, f"we refuse its certificate: {error.verify_message.rstrip('.')}"
                )
            except ssl.SSLError as error:
                return Finding(place, True, f"it refuses us: {_words(error)}")
    except (OSError, ValueError) as error:
        return Finding(place, False, getattr(error, "strerror", None) or str(error))
    return None


def _hear_alert(secure: ssl.SSLSocket) -> None:
    secure.settimeout(ALERT_PATIENCE_S)
    try:
        secure.recv(1)
    except TimeoutError:  # it waits for us to speak: agreed
        return


def _words(error: ssl.SSLError) -> str:
    """``certificate expired`` of ``SSLV3_ALERT_CERTIFICATE_EXPIRED``."""
    reason = error.reason or str(error)
    alert = reason.rpartition("ALERT_")[2]
    words = alert.replace("_", " ").lower()
    foreign = "our certificate is by another authority than its own"
    known = {
        "unknown ca": foreign,
        "decrypt error": foreign,  # of the same name, so that only the signature tells
        "certificate required": "it demands a certificate",
        "wrong version number": "it does not speak TLS (is it insecure?)",
        "record layer failure": "it does not speak TLS (is it insecure?)",
    }
    return known.get(words, words)
