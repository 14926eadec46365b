"""Sign and read what agents say of themselves: announcements here, statuses in ``status.py``.

A signed record, read by whoever meets it first, with the certificate that it takes to believe it:

    bytes of the body u16 | bytes of the signature u8 | body | signature | certificate

The body is canonical JSON of an object that says who speaks (``name``), of what federation and
about what (``about``).
"""

from __future__ import annotations

import base64
import binascii
import json
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from parse_dfl.agents import AgentSpec, modality_set
from parse_dfl.branches import Branch
from parse_dfl.errors import ConfigError
from parse_dfl.peers.authority import MOST_CERTIFICATE_BYTES, Authority, Reason, Rejected
from parse_dfl.peers.certificates import is_name
from parse_dfl.peers.compatibility import read_terms
from parse_dfl.peers.identity import Signer
from parse_dfl.text import LARGEST

_PREFIX = struct.Struct(">HB")
MOST_BODY_BYTES = 48 << 10
MOST_RECORD_BYTES = _PREFIX.size + MOST_BODY_BYTES + 256 + MOST_CERTIFICATE_BYTES


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
    """Return the content of what :func:`seal` made, if who is named in it has signed it.

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


ABOUT = "info"
_Number = Annotated[int, Meta(ge=0, le=LARGEST)]
_Texts = Annotated[list[Annotated[str, Meta(max_length=256)]], Meta(max_length=256)]


class _Body(msgspec.Struct):
    """The types of an announcement's facts, as they must arrive."""

    name: str
    seed: _Number
    modalities: _Texts
    samples: Annotated[int, Meta(ge=1, le=LARGEST)]
    branches: _Texts
    created_ns: _Number
    local_steps: _Number


@dataclass(frozen=True, kw_only=True)
class PeerInfo:
    """The facts of an agent from which others compute the same overlays.

    ``seed`` is the federation's, which overlays and starting weights are drawn from;
    ``created_ns`` the time of the info in nanoseconds since 1970: of two infos of an agent the
    later one holds.  ``terms`` are what all sites must have alike
    (:mod:`parse_dfl.peers.compatibility`); ``local_steps`` may differ, and others hear of it.
    """

    name: str
    seed: int
    modalities: tuple[str, ...]
    samples: int
    branches: tuple[Branch, ...]
    created_ns: int
    local_steps: int = 0
    terms: Mapping[str, str] = field(default_factory=dict)

    @property
    def agent(self) -> AgentSpec:
        """The agent as sharing rules and topologies see it."""
        return AgentSpec(name=self.name, modalities=self.modalities, seed=self.seed)

    def to_string(self, identity: Signer) -> str:
        """Return the info as one part of a key: signed, in the alphabet of URLs."""
        content = asdict(self) | {"branches": [str(branch) for branch in self.branches]}
        record = seal(ABOUT, content, identity)
        return base64.urlsafe_b64encode(record).rstrip(b"=").decode()

    @classmethod
    def from_string(
        cls, text: str, *, federation: str, authority: Authority | None, now: float
    ) -> PeerInfo:
        """Read the info that stands in a key.

        Raises:
            Rejected: it is malformed, or not signed by whom it names.
        """
        try:
            record = base64.urlsafe_b64decode(text.encode("ascii") + b"==")
        except (binascii.Error, ValueError) as error:
            raise Rejected(Reason.FRAMING, "an announcement that cannot be read") from error
        content = unseal(ABOUT, record, federation=federation, authority=authority, now=now)
        try:
            body = msgspec.convert(content, _Body)
            modalities = modality_set(body.modalities)
            branches = tuple(Branch(*_three(text)) for text in body.branches)
        except (msgspec.ValidationError, ConfigError, ValueError) as error:
            raise Rejected(Reason.FRAMING, f"an announcement of nobody: {error}") from error
        if not is_name(body.name):
            raise Rejected(Reason.FRAMING, "an announcement of nobody")
        return cls(
            name=body.name,
            seed=body.seed,
            modalities=modalities,
            samples=body.samples,
            branches=branches,
            created_ns=body.created_ns,
            local_steps=body.local_steps,
            terms=read_terms(content.get("terms")),
        )


def _three(text: str) -> tuple[str, str, str]:
    modality, component, architecture = text.split("/")
    return modality, component, architecture
