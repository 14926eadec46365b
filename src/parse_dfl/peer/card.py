"""An agent's card: what the others must know of it to compute the same overlays."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import Branch
from parse_dfl.errors import ConfigError
from parse_dfl.modalities import modality_set
from parse_dfl.peer.authority import Authority
from parse_dfl.peer.compatibility import read_terms
from parse_dfl.peer.config import MOST_SEED
from parse_dfl.peer.identity import Signer
from parse_dfl.peer.names import is_name
from parse_dfl.peer.refusals import Reason, Refusal
from parse_dfl.peer.sealed import seal, unseal

MOST_BRANCHES = 256
MOST_NUMBER = MOST_SEED


@dataclass(frozen=True, kw_only=True)
class Card:
    """Who an agent is and which branches it owns.

    ``seed`` is the federation's, which overlays and starting weights are drawn from; ``born``
    the time of the card in nanoseconds since 1970: of two cards of an agent the later one holds.
    ``terms`` are what all sites must have alike (:mod:`parse_dfl.peer.compatibility`).
    """

    name: str
    seed: int
    modalities: tuple[str, ...]
    samples: int
    branches: tuple[Branch, ...]
    born: int
    terms: Mapping[str, str] = field(default_factory=dict)

    @property
    def agent(self) -> AgentSpec:
        """The agent as sharing rules and topologies see it."""
        return AgentSpec(name=self.name, modalities=self.modalities, seed=self.seed)


def write_card(card: Card, identity: Signer) -> str:
    """The card as one part of a key: signed, in the alphabet of URLs."""
    content = asdict(card) | {"branches": [str(branch) for branch in card.branches]}
    sealed = seal("card", content, identity)
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def read_card(text: str, *, federation: str, authority: Authority | None, now: float) -> Card:
    """The card that stands in a key.

    Raises:
        Refusal: it is malformed, or not signed by whom it names.
    """
    try:
        sealed = base64.urlsafe_b64decode(text.encode("ascii") + b"==")
    except (binascii.Error, ValueError) as error:
        raise Refusal(Reason.FRAMING, "a card that cannot be read") from error
    return _card(unseal("card", sealed, federation=federation, authority=authority, now=now))


def _card(content: Mapping[str, Any]) -> Card:
    numbers = [content.get(name) for name in ("seed", "samples", "born")]
    texts = [content.get(name) for name in ("modalities", "branches")]
    if any(type(value) is not int or not 0 <= value <= MOST_NUMBER for value in numbers):
        raise Refusal(Reason.FRAMING, "a card whose numbers are none")
    if any(not _are_texts(value) for value in texts):
        raise Refusal(Reason.FRAMING, "a card whose lists are none")
    if not (is_name(content["name"]) and content["samples"]):
        raise Refusal(Reason.FRAMING, "a card of nobody")
    try:
        modalities = modality_set(content["modalities"])
    except ConfigError as error:
        raise Refusal(Reason.FRAMING, "a card of no modality") from error
    return Card(
        name=content["name"],
        seed=content["seed"],
        modalities=modalities,
        samples=content["samples"],
        branches=tuple(_branch(text) for text in content["branches"]),
        born=content["born"],
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
        raise Refusal(Reason.FRAMING, "a card of a branch that is none")
    return Branch(*parts)
