"""The process that a fleet's peers are forked from: everything is imported and loaded once.

Run as ``python -m parse_dfl.runs.fork_server SOCKET PARENT``.  It has one thread and
opens no session, so that a fork of it is whole; the peers share its memory.  Whoever started it can
die as it likes: the kernel then ends the nursery, and its peers with it.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import sys
import traceback

import torch

from parse_dfl.config import from_dict
from parse_dfl.engine.agent_data import TensorData
from parse_dfl.errors import ParseDflError
from parse_dfl.runs.interrupt import STOPS
from parse_dfl.runs.ipc import Channel, PeerSpec
from parse_dfl.runs.setup import RunSetup, gather
from parse_dfl.runs.worker import live

PR_SET_PDEATHSIG = 1
MOST_ORDER_BYTES = 1 << 16


def main(argv: list[str]) -> None:
    """Answer the fleet's orders until it closes the socket."""
    number, parent = map(int, argv)
    die_with(parent)
    for each in STOPS:  # a scheduler may send one to every process; the fleet handles it
        signal.signal(each, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no zombies
    torch.set_num_threads(1)
    control = socket.socket(fileno=number)
    config = from_dict(json.loads(control.recv(MOST_ORDER_BYTES)))
    try:
        found = gather(config, [config.seed])
        data = found.tensors()
    except ParseDflError as error:
        control.sendall(json.dumps({"error": str(error)}).encode())
        return
    control.sendall(b"{}")
    _serve(control, found, data)


def die_with(parent: int) -> None:
    """Be killed when the parent process ends, however it does (on Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended already
        os._exit(1)


def _serve(control: socket.socket, found: RunSetup, data: TensorData) -> None:
    while True:
        order, descriptors, _, _ = socket.recv_fds(control, MOST_ORDER_BYTES, 1)
        if not order:
            return
        nursery, pid = os.getpid(), os.fork()
        if not pid:
            control.close()
            die_with(nursery)
            _be(found, data, json.loads(order), descriptors[0])
        os.close(descriptors[0])
        control.sendall(json.dumps({"pid": pid}).encode())


def _be(found: RunSetup, data: TensorData, order: dict[str, object], descriptor: int) -> None:
    """Live as a peer; never returns."""
    channel = Channel(socket.socket(fileno=descriptor))
    status = 0
    try:
        live(found, data, PeerSpec(**{**order, "connect": tuple(order["connect"])}), channel)  # type: ignore[arg-type]
    except ParseDflError as error:
        channel.tell({"kind": "failed", "text": str(error)})
        status = 2
    except BaseException:  # noqa: BLE001 - the process ends here, and somebody must hear why
        channel.tell({"kind": "failed", "text": traceback.format_exc()})
        status = 1
    os._exit(status)


if __name__ == "__main__":
    main(sys.argv[1:])
