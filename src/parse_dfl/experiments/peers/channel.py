"""Messages between a fleet and its peers: a line of JSON each, over a pair of sockets."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from threading import Lock
from typing import Any

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
