"""How a peer is: what it tells whoever asks, signed."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from threading import Condition
from typing import Any

from parse_dfl.peer.authority import Authority
from parse_dfl.peer.keys import Keys
from parse_dfl.peer.names import is_name
from parse_dfl.peer.refusals import Refusal
from parse_dfl.peer.sealed import unseal
from parse_dfl.peer.transport import Transport

ABOUT = "status"
ASK_AGAIN_S = 0.2
MOST_LIVING = 512
"""Names that a status tells; more would not fit."""


def ask_all(
    transport: Transport,
    federation: str,
    authority: Authority | None,
    *,
    timeout_s: float,
    wanted: Iterable[str] | None = None,
) -> dict[str, Mapping[str, Any]]:
    """The status of every peer that answers in time, by name; what is not believed is left out.

    Peers do not relay, and connections to further ones come up one by one.  So the question is
    repeated until all have answered that are ``wanted``: given, or those whom a peer that has
    answered holds for alive.
    """
    answers = _Answers(federation, authority, wanted)
    everybody, end = Keys(federation).status(), time.monotonic() + timeout_s
    while not answers.complete() and (left := end - time.monotonic()) > 0:
        transport.ask(everybody, answers.take, timeout_s=left)
        answers.wait(min(ASK_AGAIN_S, left))
    return answers.told()


class _Answers:
    """What has been answered so far; filled by a thread of the network's."""

    def __init__(
        self, federation: str, authority: Authority | None, wanted: Iterable[str] | None
    ) -> None:
        self._federation, self._authority = federation, authority
        self._wanted = None if wanted is None else frozenset(wanted)
        self._told: dict[str, Mapping[str, Any]] = {}
        self._changed = Condition()

    def take(self, key: str, sealed: bytes) -> None:
        try:
            told = unseal(
                ABOUT,
                sealed,
                federation=self._federation,
                authority=self._authority,
                now=time.time(),
            )
        except Refusal:
            return
        if key == Keys(self._federation).status(told["name"]):
            with self._changed:
                self._told[told["name"]] = told
                self._changed.notify_all()

    def wait(self, timeout_s: float) -> None:
        with self._changed:
            self._changed.wait_for(self._all, timeout_s)

    def complete(self) -> bool:
        with self._changed:
            return self._all()

    def told(self) -> dict[str, Mapping[str, Any]]:
        with self._changed:
            return dict(self._told)

    def _all(self) -> bool:
        if self._wanted is not None:
            return self._wanted <= self._told.keys()
        return bool(self._told) and living_of(self._told) <= self._told.keys()


def living_of(found: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """All whom those that answered hold for alive."""
    lists = [told.get("living") for told in found.values()]
    return {
        name
        for names in lists
        if isinstance(names, list)
        for name in names[:MOST_LIVING]
        if isinstance(name, str) and is_name(name)
    }


def round_of(status: Mapping[str, Any]) -> int:
    """The round that a peer says it has finished; 0 if it says nothing sensible."""
    told = status.get("round")
    return told if type(told) is int and told >= 0 else 0
