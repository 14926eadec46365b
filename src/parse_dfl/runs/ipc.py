"""Messages between the launcher and its workers, and what a worker is told to be."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any


@dataclass(frozen=True, kw_only=True)
class PeerSpec:
    """What a fleet tells one of its peers.

    ``certificates`` is the agent's folder of them, empty: insecure.  ``folder`` gets its
    checkpoints (in ``peers/NAME``) and its file (in ``agents``), empty: nothing is kept.
    """

    agent: str
    federation: str
    listen: str
    connect: tuple[str, ...]
    certificates: str
    folder: str
    wait_for: int
    meet_s: float


Told = dict[str, Any]
READ_BYTES = 1 << 16


class Channel:
    """One end of the pair."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._rest = b""
        self._lock = Lock()

    def fileno(self) -> int:
        """For select."""
        return self._end.fileno()

    def tell(self, message: Mapping[str, Any]) -> bool:
        """Send; whether anybody is still there."""
        try:
            with self._lock:
                self._end.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            return False
        return True

    def read(self) -> list[Told] | None:
        """The messages of one read, which may be none yet; None: the other end is closed."""
        try:
            more = self._end.recv(READ_BYTES)
        except OSError:
            return None
        if not more:
            return None
        *lines, self._rest = (self._rest + more).split(b"\n")
        return [json.loads(line) for line in lines]

    def __iter__(self) -> Iterator[Told]:
        """Messages as they come, until the other end is closed."""
        while (found := self.read()) is not None:
            yield from found

    def close(self) -> None:
        """Close this end."""
        self._end.close()
