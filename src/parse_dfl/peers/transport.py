"""Connect peers by Eclipse Zenoh in peer mode: no router, no broker, no server.

Everything that knows Zenoh is in this file.  Payloads are bytes; what they mean, and whether to
believe them, is for others to say.  Topics of a federation, each a key of the network:

    FEDERATION/MODALITY/AGENT/INFO           alive: a liveliness token, nothing is sent there
    FEDERATION/slices/TO/FROM/BRANCH         a branch's message of one agent to a neighbour
    FEDERATION/again/FROM/TO/BRANCH/ROUND    a question: what you sent me then, please
    FEDERATION/status/AGENT                  a question: how are you?

A branch is three parts (modality/component/architecture).  Messages are addressed, so that a
neighbour receives exactly what it asked for, also where overlays change every round.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import zenoh
from zenoh.handlers import Callback

from parse_dfl.errors import PeerError
from parse_dfl.peers.certificates import CA_CERTIFICATE, CERTIFICATE, KEY
from parse_dfl.peers.identity import Identity, Insecure

if TYPE_CHECKING:
    from parse_dfl.engine.trainer import Trainer

Take = Callable[[str, bytes], None]
"""Gets the key and the bytes of something that arrived, on a thread of the network's."""

FRAMING_BYTES = 64 << 10
"""Of a message beyond its tensors, at most: header, certificate, signature, key."""

MOST_PUBLISHERS = 4096
"""Keys to send to that are kept ready."""


@dataclass(frozen=True)
class Topics:
    """The topics of one federation."""

    federation: str

    def alive(self, modality: str, agent: str, info: str) -> str:
        """Return the token of one of an agent's modalities; ``info`` says what else it has."""
        return f"{self.federation}/{modality}/{agent}/{info}"

    @property
    def everybody(self) -> str:
        """All tokens."""
        return f"{self.federation}/*/*/*"

    def slice(self, *, to: str, sender: str, branch: str) -> str:
        """Return the key under which ``sender`` sends its ``branch`` to ``to``."""
        return f"{self.federation}/slices/{to}/{sender}/{branch}"

    def again(self, *, sender: str, to: str, branch: str, round: int) -> str:
        """Return the key under which ``to`` asks ``sender`` for messages it may lack."""
        return f"{self.federation}/again/{sender}/{to}/{branch}/{round}"

    def asked_again(self, agent: str) -> str:
        """Return the pattern of all keys under which an agent may be asked for messages again."""
        return f"{self.federation}/again/{agent}/**"

    def status(self, agent: str = "*") -> str:
        """Return the key under which an agent, or every agent, is asked for its status."""
        return f"{self.federation}/status/{agent}"

    @staticmethod
    def sender(key: str) -> tuple[str, str]:
        """Return sender and branch of a message, by the key of a slice or of a question."""
        _, word, first, second, *branch = key.split("/")
        return first if word == "again" else second, "/".join(branch[:3])

    @staticmethod
    def asked_round(key: str) -> int | None:
        """Return the round that a message answers the question for; None: it is no answer."""
        _, word, *_, last = key.split("/")
        return int(last) if word == "again" else None

    @staticmethod
    def question(key: str) -> tuple[str, str, int]:
        """Return the agent that asks again, the branch and the round of a question.

        Raises:
            ValueError: it is no such question.
        """
        _, _, _, to, *branch, round = key.split("/")
        return to, "/".join(branch), int(round)


@dataclass(frozen=True, kw_only=True)
class LinkSettings:
    """Addresses and limits of a peer's links.

    ``listen`` and ``connect`` are ``HOST:PORT``; port 0 takes a free one.  A message larger than
    ``limit_bytes`` is dropped before it is read.  A peer silent for ``lease_s`` is taken for
    gone; a message to a peer that does not read is given up after ``patience_s``.  Of two peers
    that hear of each other one dials; a guest, whom the others may not reach, dials everybody.
    """

    listen: Sequence[str]
    connect: Sequence[str]
    limit_bytes: int
    lease_s: float = 10.0
    patience_s: float = 1.0
    guest: bool = False


def largest_message_bytes(trainer: Trainer) -> int:
    """Return a bound for what one message of one of the trainer's branches holds.

    No exchange rule sends more than the parameters twice over, and the second moment.
    """
    rows = trainer.layout.branches.values()
    return max((3 * state.width * state.params.element_size() for state in rows), default=0)


def session_config(settings: LinkSettings, identity: Identity | Insecure) -> zenoh.Config:
    """Return Zenoh's configuration of a peer: gossip, no multicast, TLS both ways or plain TCP."""
    scheme = "tcp" if isinstance(identity, Insecure) else "tls"
    lease_ms, patience_us = int(settings.lease_s * 1000), int(settings.patience_s * 1e6)
    entries: dict[str, Any] = {
        "mode": "peer",
        "listen/endpoints": [f"{scheme}/{address}" for address in settings.listen],
        "connect/endpoints": [f"{scheme}/{address}" for address in settings.connect],
        "scouting/multicast/enabled": False,
        "scouting/gossip/enabled": True,
        "scouting/gossip/autoconnect_strategy": {
            "peer": {
                "to_router": "always",
                "to_peer": "always" if settings.guest else "greater-zid",
            }
        },
        "transport/shared_memory/enabled": False,  # on by default; a kill leaves segments behind
        "transport/link/protocols": [scheme],
        "transport/link/tx/lease": lease_ms,
        "transport/link/tx/queue/congestion_control/drop/wait_before_drop": patience_us,
        "transport/link/tx/queue/congestion_control/drop/max_wait_before_drop_fragments": (
            patience_us
        ),
        "transport/link/rx/max_message_size": settings.limit_bytes + FRAMING_BYTES,
    }
    if not isinstance(identity, Insecure):
        entries |= _tls(identity)
    config = zenoh.Config()
    for key, value in entries.items():
        config.insert_json5(key, json.dumps(value))
    return config


def _tls(identity: Identity) -> dict[str, Any]:
    """Let both ends show certificates of the federation's authority."""
    files = {
        "root_ca_certificate": CA_CERTIFICATE,
        "listen_certificate": CERTIFICATE,
        "listen_private_key": KEY,
        "connect_certificate": CERTIFICATE,
        "connect_private_key": KEY,
    }
    entries: dict[str, Any] = {name: str(identity.folder / file) for name, file in files.items()}
    entries |= {"enable_mtls": True, "verify_name_on_connect": True}
    return {f"transport/link/tls/{name}": value for name, value in entries.items()}


class Transport:
    """An open session.  Every ``take`` runs on a thread of the network's: it must be short, and
    while it runs the network reads nothing more from that peer, so nothing can pile up."""

    def __init__(self, settings: LinkSettings, identity: Identity | Insecure) -> None:
        """Open a session.

        Raises:
            PeerError: an address cannot be listened on, or one to connect to cannot be read.
        """
        try:
            self._session = zenoh.open(session_config(settings, identity))
        except zenoh.ZError as error:
            reason = str(error).split(" at ")[0]
            raise PeerError(f"cannot listen on {', '.join(settings.listen)}: {reason}") from error
        self._subscriptions: dict[str, Any] = {}
        self._publishers: dict[str, Any] = {}
        self._tokens: dict[str, Any] = {}
        self._kept: list[Any] = []

    def peers(self) -> int:
        """Return the number of peers with whom there is a connection."""
        return len(list(self._session.info.peers_zid()))

    def close(self) -> None:
        """End the session; the others see this peer leave at once."""
        self._session.close()

    def announce(self, keys: Sequence[str]) -> None:
        """Announce exactly these keys as alive; new ones first, so that nobody sees a gap."""
        liveliness = self._session.liveliness()
        for key in keys:
            if key not in self._tokens:
                self._tokens[key] = liveliness.declare_token(key)
        for key in set(self._tokens) - set(keys):
            self._tokens.pop(key).undeclare()

    def watch(self, pattern: str, seen: Callable[[str, bool], None]) -> None:
        """Call ``seen`` for every key like ``pattern`` that is alive now or later, and when it no
        longer is."""

        def tell(sample: zenoh.Sample) -> None:
            seen(str(sample.key_expr), sample.kind == zenoh.SampleKind.PUT)

        self._kept.append(
            self._session.liveliness().declare_subscriber(
                pattern, Callback(tell, indirect=False), history=True
            )
        )

    def living(self, pattern: str, *, timeout_s: float) -> set[str]:
        """Return the keys like ``pattern`` that those who are connected hold alive just now."""
        replies = self._session.liveliness().get(pattern, timeout=timeout_s)
        return {str(reply.ok.key_expr) for reply in replies if reply.ok is not None}

    def listen(self, keys: Sequence[str], take: Take) -> None:
        """Receive what is sent under exactly these keys, and nothing else any more."""
        for key in keys:
            if key not in self._subscriptions:
                handler = Callback(partial(_hand_over, take), indirect=False)
                self._subscriptions[key] = self._session.declare_subscriber(key, handler)
        for key in set(self._subscriptions) - set(keys):
            self._subscriptions.pop(key).undeclare()

    def send(self, key: str, payload: bytes) -> bool:
        """Send to whoever listens to ``key``; return whether anybody does.

        A peer that does not read is given up after the link's patience.
        """
        publisher = self._publishers.pop(key, None) or self._publisher(key)
        self._publishers[key] = publisher  # the least used ones stand first
        publisher.put(payload)
        return bool(publisher.matching_status.matching)

    def _publisher(self, key: str) -> Any:
        while len(self._publishers) >= MOST_PUBLISHERS:
            self._publishers.pop(next(iter(self._publishers))).undeclare()
        congestion = zenoh.CongestionControl.DROP
        return self._session.declare_publisher(key, congestion_control=congestion)

    def answer(self, pattern: str, reply: Callable[[str], bytes | None]) -> None:
        """Answer questions for keys like ``pattern``; None is no answer.

        One who asks everybody at once must see who answers: the answer comes under ``pattern``
        itself where that is a single key.
        """
        exact = None if "*" in pattern else pattern

        def respond(query: zenoh.Query) -> None:
            with query:
                content = reply(str(query.key_expr))
                if content is not None:
                    query.reply(exact or query.key_expr, content)

        self._kept.append(self._session.declare_queryable(pattern, respond))

    def ask(self, key: str, take: Take, *, timeout_s: float) -> None:
        """Ask for ``key`` and go on; answers come to ``take`` one by one."""

        def hand_over(reply: zenoh.Reply) -> None:
            if reply.ok is not None:
                _hand_over(take, reply.ok)

        self._session.get(
            key,
            Callback(hand_over, indirect=False),
            timeout=timeout_s,
            target=zenoh.QueryTarget.ALL,
            consolidation=zenoh.ConsolidationMode.NONE,
        )


def _hand_over(take: Take, sample: zenoh.Sample) -> None:
    take(str(sample.key_expr), sample.payload.to_bytes())
