"""A network within the test's process: what is sent is there at once, or as the test says."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatch
from threading import Lock


class FakeNetwork:
    """Joins the transports that it hands out.

    ``pass_on`` gets key and payload of everything that is sent, and returns what arrives; None:
    it is lost.
    """

    def __init__(self, pass_on: Callable[[str, bytes], bytes | None] = lambda key, data: data):
        self.pass_on = pass_on
        self.lock = Lock()
        self.listeners: dict[str, Callable[[str, bytes], None]] = {}
        self.answers: list[tuple[str, Callable[[str], bytes | None]]] = []

    def transport(self) -> FakeTransport:
        """Another end of the network."""
        return FakeTransport(self)


class FakeTransport:
    """One end; it has the methods of a transport that an exchange needs."""

    def __init__(self, network: FakeNetwork) -> None:
        self._network, self._keys = network, set()

    def listen(self, keys, take):
        with self._network.lock:
            for key in self._keys - set(keys):
                del self._network.listeners[key]
            self._keys = set(keys)
            self._network.listeners |= dict.fromkeys(keys, take)

    def send(self, key, payload):
        with self._network.lock:
            take = self._network.listeners.get(key)
        arrives = self._network.pass_on(key, payload)
        if take and arrives is not None:
            take(key, arrives)
        return bool(take)

    def answer(self, pattern, reply):
        with self._network.lock:
            self._network.answers.append((pattern, reply))

    def ask(self, key, take, *, timeout_s):
        with self._network.lock:
            replies = [reply for pattern, reply in self._network.answers if fnmatch(key, pattern)]
        for reply in replies:
            content = reply(key)
            if content is not None:
                take(key, content)
