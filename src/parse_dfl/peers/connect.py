"""Connect to a federation: open a session, and meet those that one can learn with.

Zenoh keeps trying in silence when a connection is refused; here a refusal is an error that says its
reason, and so is a federation that differs.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from parse_dfl.errors import IdentityError, PeerError
from parse_dfl.peers.announcement import PeerInfo, apart, in_a_sentence, outvoted_by
from parse_dfl.peers.certificates import CA_CERTIFICATE, CERTIFICATE, KEY
from parse_dfl.peers.identity import Identity, Insecure
from parse_dfl.peers.round_sync import Stop
from parse_dfl.peers.transport import LinkSettings, Transport

if TYPE_CHECKING:
    from parse_dfl.peers.membership import Membership

ALERT_PATIENCE_S = 1.0
"""A server that refuses our certificate says so just after the handshake (TLS 1.3)."""


@dataclass(frozen=True)
class FailedHandshake:
    """A handshake that failed; ``refused`` means that trying again will not help."""

    address: str
    refused: bool
    reason: str

    def __str__(self) -> str:
        return f"{self.address}: {self.reason}"


def probe(address: str, identity: Identity, *, timeout_s: float) -> FailedHandshake | None:
    """Shake hands with the peer at ``HOST:PORT`` as Zenoh would; return None if both agree."""
    host, _, port = address.rpartition(":")
    context = ssl.create_default_context(cafile=str(identity.folder / CA_CERTIFICATE))
    context.load_cert_chain(identity.folder / CERTIFICATE, identity.folder / KEY)
    try:
        with socket.create_connection((host, int(port)), timeout=timeout_s) as plain:
            try:
                with context.wrap_socket(plain, server_hostname=host) as secure:
                    _hear_alert(secure)
            except ssl.SSLCertVerificationError as error:
                return FailedHandshake(
                    address, True, f"we refuse its certificate: {error.verify_message.rstrip('.')}"
                )
            except ssl.SSLError as error:
                return FailedHandshake(address, True, f"it refuses us: {_words(error)}")
    except (OSError, ValueError) as error:
        return FailedHandshake(address, False, getattr(error, "strerror", None) or str(error))
    return None


def _hear_alert(secure: ssl.SSLSocket) -> None:
    secure.settimeout(ALERT_PATIENCE_S)
    try:
        secure.recv(1)
    except TimeoutError:  # it waits for us to speak: agreed
        return


def _words(error: ssl.SSLError) -> str:
    """Return ``certificate expired`` of ``SSLV3_ALERT_CERTIFICATE_EXPIRED``."""
    reason = error.reason or str(error)
    alert = reason.rpartition("ALERT_")[2]
    words = alert.replace("_", " ").lower()
    foreign = "our certificate is by another authority than its own"
    meanings = {
        "unknown ca": foreign,
        "decrypt error": foreign,  # of the same name, so that only the signature tells
        "certificate required": "it demands a certificate",
        "wrong version number": "it does not speak TLS (is it insecure?)",
        "record layer failure": "it does not speak TLS (is it insecure?)",
    }
    return meanings.get(words, words)


LOOK_S = 0.05
FIRST_PROBE_S = 2.0
"""A connection takes a fraction of a second; then the reason is looked for."""

PROBE_EVERY_S = 5.0


def open_transport(
    settings: LinkSettings, identity: Identity | Insecure, *, wait_s: float, stop: Stop
) -> Transport:
    """Open a session that is connected to one of the peers to try first, if there are any.

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
            _raise_if_hopeless(_failures(settings.connect, identity), settings, wait_s, over=over)
            probe_at = time.monotonic() + PROBE_EVERY_S
        time.sleep(LOOK_S)


def _failures(addresses: Sequence[str], identity: Identity | Insecure) -> list[FailedHandshake]:
    if isinstance(identity, Insecure):
        return []
    results = [probe(address, identity, timeout_s=FIRST_PROBE_S) for address in addresses]
    return [failure for failure in results if failure]


def _raise_if_hopeless(
    failures: Sequence[FailedHandshake], settings: LinkSettings, wait_s: float, *, over: bool
) -> None:
    reasons = "; ".join(map(str, failures)) or ", ".join(settings.connect)
    if failures and all(failure.refused for failure in failures):
        raise IdentityError(f"no peer accepts this agent: {reasons}")
    if over:
        raise PeerError(f"no peer could be reached within {wait_s:g} s: {reasons}")


OUTVOTED_STAY_S = 3.0
"""How long one that differs stays: the other sites hear of it, and its like may still come."""


class Meeting:
    """Waits until enough agents are there that have the same terms, and says who stays apart.

    Args:
        membership: who is there.
        wait_for: so many agents, this one included, must be there.
        patience_s: for so long they are waited for.
        note: hears once of each agent with which this one cannot learn, and why.
        connections: counts the peers that there is a connection with, for the error.
    """

    def __init__(
        self,
        membership: Membership,
        *,
        wait_for: int,
        patience_s: float,
        note: Callable[[str], None],
        connections: Callable[[], int],
    ) -> None:
        self._membership, self._wait_for, self._patience_s = membership, wait_for, patience_s
        self._note, self._connections = note, connections
        self._noted: dict[tuple[str, str], str] = {}  # (topic, name) → what was said

    def wait(self, stop: Stop) -> None:
        """Wait until enough are there.

        Agents with other terms are left out; one that is outvoted ends.

        Raises:
            PeerError: too few are there in time, or most of them differ from this agent.
        """
        end = time.monotonic() + self._patience_s

        def news(view: Mapping[str, PeerInfo]) -> bool:
            seen = self._membership.differing()
            new = any(("terms", name) not in self._noted for name in seen)
            return new or self._is_enough(view, stop) or self._is_outvoted()

        while self._membership.wait(news, timeout_s=end - time.monotonic()):
            self._note_differing()
            if self._is_enough(self._membership.view(), stop):
                return
            if self._is_outvoted():
                self._membership.wait(lambda _: stop.asked, timeout_s=OUTVOTED_STAY_S)
                self._end_if_outvoted()
        there, differing = len(self._membership.view()), self._differences()
        raise PeerError(
            f"{there} of {self._wait_for} agents were there after {self._patience_s:g} s "
            f"(connections to {self._connections()} peers); an agent that learns alone is "
            "no federation: check the addresses to connect to, or lower wait_for"
            + (f". Others are there and differ: {differing}" if differing else "")
        )

    def note_apart(self) -> None:
        """Say with whom this agent exchanges nothing, or less than it should."""
        view = self._membership.view()
        for name, reason in apart(view, self._membership.own_info.name).items():
            self._note_once("branches", name, f"{name} {reason}")
        self._note_differing()

    def _is_enough(self, view: Mapping[str, PeerInfo], stop: Stop) -> bool:
        return stop.asked or (len(view) >= self._wait_for and not self._is_outvoted())

    def _is_outvoted(self) -> bool:
        """Return whether enough are there, and more of them agree than with this agent."""
        others = self._membership.others()
        enough = len(others) + 1 >= self._wait_for
        return enough and bool(outvoted_by(self._membership.own_info, others))

    def _end_if_outvoted(self) -> None:
        if self._is_outvoted():
            raise PeerError(
                f"sites of this federation differ: {self._differences()}; make them the same at "
                "every site, in the same order where they are lists"
            )

    def _differences(self) -> str:
        return "; ".join(map(in_a_sentence, self._membership.differing().values()))

    def _note_differing(self) -> None:
        for name, lines in self._membership.differing().items():
            self._note_once("terms", name, f"{name} is ignored: {in_a_sentence(lines)}")

    def _note_once(self, topic: str, name: str, text: str) -> None:
        if self._noted.get((topic, name)) != text:
            self._noted[topic, name] = text
            self._note(text)
