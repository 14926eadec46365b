"""Start peers as processes of this machine, read their messages, and end them on any error."""

from __future__ import annotations

import json
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self

from parse_dfl.config import RunConfig, to_dict
from parse_dfl.errors import PeerError
from parse_dfl.peers.certificates import create_ca, issue

HOST = "127.0.0.1"
CERTIFICATE_DAYS = 30
MEET_S = 120.0
READ_BYTES = 1 << 16

Message = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class PeerSpec:
    """One peer, as the launcher describes it to a worker.

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


class Channel:
    """One end of the pair of sockets between the launcher and a worker."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._rest = b""
        self._lock = Lock()

    def fileno(self) -> int:
        """Return the descriptor, for select."""
        return self._end.fileno()

    def tell(self, message: Mapping[str, Any]) -> bool:
        """Send a message; return whether the other end is still open."""
        try:
            with self._lock:
                self._end.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            return False
        return True

    def read(self) -> list[Message] | None:
        """Return the messages of one read, maybe none yet; None: the other end is closed."""
        try:
            more = self._end.recv(READ_BYTES)
        except OSError:
            return None
        if not more:
            return None
        *lines, self._rest = (self._rest + more).split(b"\n")
        return [json.loads(line) for line in lines]

    def __iter__(self) -> Iterator[Message]:
        """Give messages as they come, until the other end is closed."""
        while (messages := self.read()) is not None:
            yield from messages

    def close(self) -> None:
        """Close this end."""
        self._end.close()


class Launcher:
    """The peers of one experiment on loopback.

    Unless the configuration says ``insecure``, a throw-away authority certifies them, so that no
    other user of the machine can join or listen.  Use it as a context: leaving ends all of them.

    Args:
        config: the experiment.
        folder: gets checkpoints and agents' files, None: nothing is kept.
        bootstraps: how many agents, the first ones, the others try to connect to first.
    """

    def __init__(self, config: RunConfig, folder: Path | None, *, bootstraps: int = 1) -> None:
        self._config, self._folder, self._bootstraps = config, folder, bootstraps
        self._federation = ""
        self.addresses: dict[str, str] = {}
        """``HOST:PORT`` of every enlisted agent."""
        self.pids: dict[str, int] = {}
        self._secrets = tempfile.TemporaryDirectory(prefix="parse-dfl-")
        self._channels: dict[str, Channel] = {}
        self._fork_server: subprocess.Popen[bytes] | None = None
        self._ready = False

    def __enter__(self) -> Self:
        try:
            self._start_fork_server()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _start_fork_server(self) -> None:
        ours, theirs = socket.socketpair()
        number = theirs.fileno()
        command = [sys.executable, "-m", "parse_dfl.runs.worker", str(number)]
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self._fork_server = subprocess.Popen(  # noqa: S603 - a command of our own
            [*command, str(os.getpid())],
            pass_fds=[number],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env=os.environ | threads | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        theirs.close()
        self._control = ours
        ours.sendall(json.dumps(to_dict(self._config)).encode())

    def enlist(self, agents: Sequence[str], folder: Path | None = None) -> None:
        """Choose everybody's port and issue certificates; the fork server loads in the meantime.

        Enlisting again makes another federation of the same experiment, in another ``folder``.

        Raises:
            PeerError: the fork server could not load the experiment.
        """
        self._folder = folder or self._folder
        self._federation = f"run-{secrets.token_hex(4)}"
        self.addresses = {name: f"{HOST}:{port}" for name, port in _free_ports(agents)}
        if not self._config.peer.insecure:
            self._certify(agents)
        if not self._ready:
            self._answer()
            self._ready = True

    def _certify(self, agents: Sequence[str]) -> None:
        authority = self._certificates("authority")
        create_ca(authority, federation=self._federation, days=CERTIFICATE_DAYS)
        for name in agents:
            issue(authority, name, hosts=[HOST], days=CERTIFICATE_DAYS, out=authority.parent)

    def _certificates(self, name: str) -> Path:
        return Path(self._secrets.name) / self._federation / name

    def _answer(self) -> Message:
        raw = self._control.recv(READ_BYTES)
        answer = json.loads(raw) if raw else {"error": "the process that starts the peers ended"}
        if "error" in answer:
            raise PeerError(answer["error"])
        return dict(answer)

    def start(self, name: str, *, wait_for: int | None = None) -> None:
        """Start a peer, or start it again."""
        first = list(self.addresses.values())[: self._bootstraps]
        spec = PeerSpec(
            agent=name,
            federation=self._federation,
            listen=self.addresses[name],
            connect=tuple(address for address in first if address != self.addresses[name]),
            certificates="" if self._config.peer.insecure else str(self._certificates(name)),
            folder=str(self._folder) if self._folder else "",
            wait_for=len(self.addresses) if wait_for is None else wait_for,
            meet_s=MEET_S,
        )
        ours, theirs = socket.socketpair()
        socket.send_fds(self._control, [json.dumps(asdict(spec)).encode()], [theirs.fileno()])
        theirs.close()
        self.pids[name] = self._answer()["pid"]
        self._channels[name] = Channel(ours)

    def tell(self, name: str, **message: Any) -> None:
        """Send an order to a peer; one that has ended does not get it."""
        if name in self._channels:
            self._channels[name].tell(message)

    def tell_all(self, **message: Any) -> None:
        """Send an order to every peer that has not ended."""
        for channel in self._channels.values():
            channel.tell(message)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a peer's process."""
        os.kill(self.pids[name], number)

    def events(self, timeout_s: float) -> Iterator[tuple[str, Message]]:
        """Give what peers send within the time; ``{"kind": "ended"}`` when one's process has."""
        names = {channel.fileno(): name for name, channel in self._channels.items()}
        ready, _, _ = select.select(list(names), [], [], timeout_s)
        for descriptor in ready:
            name = names[descriptor]
            messages = self._channels[name].read()
            if messages is None:
                self._channels.pop(name).close()
                yield name, {"kind": "ended"}
            else:
                yield from ((name, message) for message in messages)

    def end_peers(self) -> None:
        """End every peer, at once; others can be enlisted."""
        for name in self._channels:
            with suppress(ProcessLookupError):
                os.kill(self.pids[name], signal.SIGKILL)
        self._close_channels()

    def _close_channels(self) -> None:
        for channel in self._channels.values():
            channel.close()
        self._channels.clear()

    def close(self) -> None:
        """End every process, at once."""
        self._close_channels()
        if self._fork_server:
            self._control.close()
            with suppress(ProcessLookupError):
                os.killpg(self._fork_server.pid, signal.SIGKILL)
            self._fork_server.wait()
            self._fork_server = None
        self._secrets.cleanup()


def _free_ports(agents: Sequence[str]) -> list[tuple[str, int]]:
    """Return a port for each agent that was free a moment ago."""
    listeners = []
    for name in agents:
        listener = socket.socket()
        listener.bind((HOST, 0))
        listeners.append((name, listener))
    ports = [(name, listener.getsockname()[1]) for name, listener in listeners]
    for _, listener in listeners:
        listener.close()
    return ports
