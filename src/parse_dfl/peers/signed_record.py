"""Small facts about an agent, signed by it: its info, its status.

    bytes of the body u16 | bytes of the signature u8 | body | signature | certificate

The body is canonical JSON of an object that says who speaks (``name``), of what federation and
about what (``about``).  The certificate travels along, so that a newcomer can be believed.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

from parse_dfl.peers.authority import Authority
from parse_dfl.peers.identity import Signer
from parse_dfl.peers.rejection import Reason, Rejected

_PREFIX = struct.Struct(">HB")
MOST_BODY_BYTES = 48 << 10
MOST_CERTIFICATE_BYTES = 4 << 10


def seal(about: str, content: Mapping[str, Any], identity: Signer) -> bytes:
    """``content`` as said by ``identity``."""
    told = {**content, "about": about, "name": identity.name, "federation": identity.federation}
    body = json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
    assert len(body) <= MOST_BODY_BYTES, "facts about an agent are few"
    signature = identity.sign(body)
    return _PREFIX.pack(len(body), len(signature)) + body + signature + identity.certificate


def unseal(
    about: str, data: bytes, *, federation: str, authority: Authority | None, now: float
) -> dict[str, Any]:
    """The content of what :func:`seal` made, if who is named in it has said it.

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
    if len(data) > _PREFIX.size + MOST_BODY_BYTES + MOST_CERTIFICATE_BYTES + 256:
        raise Rejected(Reason.SIZE, f"{len(data)} bytes of facts about an agent")
    if len(data) < _PREFIX.size:
        raise Rejected(Reason.FRAMING, "no facts about an agent")
    body_bytes, signature_bytes = _PREFIX.unpack_from(data)
    body = data[_PREFIX.size : _PREFIX.size + body_bytes]
    rest = data[_PREFIX.size + body_bytes :]
    content = _object(body)
    if content.get("federation") != federation:
        raise Rejected(Reason.FEDERATION, "facts about an agent of another federation")
    if content.get("about") != about or not isinstance(content.get("name"), str):
        raise Rejected(Reason.FRAMING, f"no {about}")
    if authority is not None:
        certified = authority.check(rest[signature_bytes:], now)
        if certified.name != content["name"]:
            raise Rejected(Reason.SENDER, f"{certified.name} speaks as {content['name'][:64]!r}")
        certified.verify(rest[:signature_bytes], body)
    return content


def _object(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Rejected(Reason.FRAMING, "facts about an agent that are no JSON") from error
    if not isinstance(content, dict):
        raise Rejected(Reason.FRAMING, "facts about an agent that are no JSON object")
    return content
