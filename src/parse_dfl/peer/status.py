"""How a peer is: what it tells whoever asks, signed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from parse_dfl.peer.authority import Authority
from parse_dfl.peer.keys import Keys
from parse_dfl.peer.refusals import Refusal
from parse_dfl.peer.sealed import unseal
from parse_dfl.peer.transport import Transport

ABOUT = "status"


def ask_all(
    transport: Transport, federation: str, authority: Authority | None, *, timeout_s: float
) -> dict[str, Mapping[str, Any]]:
    """The status of every peer that answers in time, by name; what is not believed is left out."""
    answers = transport.collect(Keys(federation).status(), timeout_s=timeout_s)
    found: dict[str, Mapping[str, Any]] = {}
    for key, sealed in answers.items():
        try:
            told = unseal(
                ABOUT, sealed, federation=federation, authority=authority, now=time.time()
            )
        except Refusal:
            continue
        if key == Keys(federation).status(told["name"]):
            found[told["name"]] = told
    return found


def round_of(status: Mapping[str, Any]) -> int:
    """The round that a peer says it has finished; 0 if it says nothing sensible."""
    told = status.get("round")
    return told if type(told) is int and told >= 0 else 0
