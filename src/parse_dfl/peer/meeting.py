"""Opening a session so that a refusal is an error, never a lonely agent that trains in silence."""

from __future__ import annotations

import time
from collections.abc import Sequence

from parse_dfl.errors import IdentityError, PeerError
from parse_dfl.peer.identity import Identity, Insecure
from parse_dfl.peer.probe import Finding, probe
from parse_dfl.peer.stop import Stop
from parse_dfl.peer.transport import LinkSettings, Transport

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
