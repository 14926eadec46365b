"""Opening a session so that a refusal is an error that says its reason.

Zenoh keeps trying in silence when it is refused.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass

from parse_dfl.errors import IdentityError, PeerError
from parse_dfl.peers.certificates import CA_CERTIFICATE, CERTIFICATE, KEY
from parse_dfl.peers.identity import Identity, Insecure
from parse_dfl.peers.round_sync import Stop
from parse_dfl.peers.transport import LinkSettings, Transport

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


LOOK_S = 0.05
FIRST_PROBE_S = 2.0
"""A connection takes a fraction of a second; then the reason is looked for."""

PROBE_EVERY_S = 5.0


def open_transport(
    settings: LinkSettings, identity: Identity | Insecure, *, wait_s: float, stop: Stop
) -> Transport:
    """A session that is connected to one of the peers to try first, if there are any.

    Args:
        settings: of the link.
        identity: who opens it.
        wait_s: how long to wait for a first connection.
        stop: gives up waiting when asked.

    Raises:
        IdentityError: all peers that can be reached refuse this one's certificate, or the other
            way round; it says who and why.
        PeerError: none can be reached in time, or the own address cannot be listened on.
    """
    transport = Transport(settings, identity)
    try:
        _connect(transport, settings, identity, wait_s, stop)
    except BaseException:
        transport.close()
        raise
    return transport


def _connect(
    transport: Transport,
    settings: LinkSettings,
    identity: Identity | Insecure,
    wait_s: float,
    stop: Stop,
) -> None:
    begin = time.monotonic()
    probe_at = begin + FIRST_PROBE_S
    while settings.connect and not transport.peers() and not stop.asked:
        now = time.monotonic()
        over = now - begin >= wait_s
        if over or now >= probe_at:
            _judge(_findings(settings.connect, identity), settings, wait_s, over=over)
            probe_at = time.monotonic() + PROBE_EVERY_S
        time.sleep(LOOK_S)


def _findings(places: Sequence[str], identity: Identity | Insecure) -> list[Finding]:
    if isinstance(identity, Insecure):
        return []
    found = [probe(place, identity, timeout_s=FIRST_PROBE_S) for place in places]
    return [finding for finding in found if finding]


def _judge(
    findings: Sequence[Finding], settings: LinkSettings, wait_s: float, *, over: bool
) -> None:
    told = "; ".join(map(str, findings)) or ", ".join(settings.connect)
    if findings and all(finding.refused for finding in findings):
        raise IdentityError(f"no peer accepts this agent: {told}")
    if over:
        raise PeerError(f"no peer could be reached within {wait_s:g} s: {told}")
