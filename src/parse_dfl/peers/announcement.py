"""An agent's info: what the others must know of it to compute the same overlays."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from parse_dfl.agents import AgentSpec, modality_set
from parse_dfl.branches import Branch
from parse_dfl.errors import ConfigError
from parse_dfl.peers.authority import Authority
from parse_dfl.peers.compatibility import read_terms
from parse_dfl.peers.config import MOST_SEED
from parse_dfl.peers.identity import Signer
from parse_dfl.peers.rejection import Reason, Rejected
from parse_dfl.peers.signed_record import seal, unseal
from parse_dfl.peers.topics import is_name

MOST_BRANCHES = 256
MOST_NUMBER = MOST_SEED


@dataclass(frozen=True, kw_only=True)
class PeerInfo:
    """Who an agent is and which branches it owns.

    ``seed`` is the federation's, which overlays and starting weights are drawn from; ``created_ns``
    the time of the info in nanoseconds since 1970: of two infos of an agent the later one holds.
    ``terms`` are what all sites must have alike (:mod:`parse_dfl.peers.compatibility`).
    """

    name: str
    seed: int
    modalities: tuple[str, ...]
    samples: int
    branches: tuple[Branch, ...]
    created_ns: int
    terms: Mapping[str, str] = field(default_factory=dict)

    @property
    def agent(self) -> AgentSpec:
        """The agent as sharing rules and topologies see it."""
        return AgentSpec(name=self.name, modalities=self.modalities, seed=self.seed)


def write_info(info: PeerInfo, identity: Signer) -> str:
    """The info as one part of a key: signed, in the alphabet of URLs."""
    content = asdict(info) | {"branches": [str(branch) for branch in info.branches]}
    sealed = seal("info", content, identity)
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def read_info(text: str, *, federation: str, authority: Authority | None, now: float) -> PeerInfo:
    """The info that stands in a key.

    Raises:
        Rejected: it is malformed, or not signed by whom it names.
    """
    try:
        sealed = base64.urlsafe_b64decode(text.encode("ascii") + b"==")
    except (binascii.Error, ValueError) as error:
        raise Rejected(Reason.FRAMING, "a info that cannot be read") from error
    return _card(unseal("info", sealed, federation=federation, authority=authority, now=now))


def _card(content: Mapping[str, Any]) -> PeerInfo:
    numbers = [content.get(name) for name in ("seed", "samples", "created_ns")]
    texts = [content.get(name) for name in ("modalities", "branches")]
    if any(type(value) is not int or not 0 <= value <= MOST_NUMBER for value in numbers):
        raise Rejected(Reason.FRAMING, "a info whose numbers are none")
    if any(not _are_texts(value) for value in texts):
        raise Rejected(Reason.FRAMING, "a info whose lists are none")
    if not (is_name(content["name"]) and content["samples"]):
        raise Rejected(Reason.FRAMING, "a info of nobody")
    try:
        modalities = modality_set(content["modalities"])
    except ConfigError as error:
        raise Rejected(Reason.FRAMING, "a info of no modality") from error
    return PeerInfo(
        name=content["name"],
        seed=content["seed"],
        modalities=modalities,
        samples=content["samples"],
        branches=tuple(_branch(text) for text in content["branches"]),
        created_ns=content["created_ns"],
        terms=read_terms(content.get("terms")),
    )


def _are_texts(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= MOST_BRANCHES
        and all(isinstance(entry, str) and len(entry) <= 256 for entry in value)
    )


def _branch(text: str) -> Branch:
    parts = text.split("/")
    if len(parts) != 3:
        raise Rejected(Reason.FRAMING, "a info of a branch that is none")
    return Branch(*parts)
