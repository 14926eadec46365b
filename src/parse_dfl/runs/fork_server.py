"""The process that peers are forked from: everything is imported and loaded once.

Run as ``python -m parse_dfl.runs.fork_server SOCKET PARENT``.  It has one thread and opens no
session, so that a fork of it is whole; the peers share its memory.  Whoever started it can die as
it likes: the kernel then ends this process, and its peers with it.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import sys
import traceback
from typing import Any

import torch

from parse_dfl.config import from_dict
from parse_dfl.engine.agent_data import TensorData
from parse_dfl.errors import ParseDflError
from parse_dfl.runs.interrupt import STOPS
from parse_dfl.runs.launcher import READ_BYTES, Channel, PeerSpec
from parse_dfl.runs.setup import RunSetup, prepare
from parse_dfl.runs.shared_setup import SharedSetup
from parse_dfl.runs.worker import live

PR_SET_PDEATHSIG = 1


def main(argv: list[str]) -> None:
    """Fork a peer for every order of the launcher's, until it closes the socket."""
    number, parent = map(int, argv)
    die_with(parent)
    for stop in STOPS:  # a scheduler may send one to every process; the launcher handles it
        signal.signal(stop, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no zombies
    torch.set_num_threads(1)
    control = socket.socket(fileno=number)
    config = from_dict(json.loads(control.recv(READ_BYTES)))
    try:
        shared = SharedSetup(config)
        setup = prepare(config, [config.seed], shared=shared)
        tensors = shared.tensors
    except ParseDflError as error:
        control.sendall(json.dumps({"error": str(error)}).encode())
        return
    control.sendall(b"{}")
    _serve(control, setup, tensors)


def die_with(parent: int) -> None:
    """Be killed when the parent process ends, however it does (on Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended already
        os._exit(1)


def _serve(control: socket.socket, setup: RunSetup, tensors: TensorData) -> None:
    while True:
        order, descriptors, _, _ = socket.recv_fds(control, READ_BYTES, 1)
        if not order:
            return
        server, pid = os.getpid(), os.fork()
        if not pid:
            control.close()
            die_with(server)
            _work(setup, tensors, json.loads(order), descriptors[0])
        os.close(descriptors[0])
        control.sendall(json.dumps({"pid": pid}).encode())


def _work(setup: RunSetup, tensors: TensorData, order: dict[str, Any], descriptor: int) -> None:
    """Live as a peer; never returns."""
    channel = Channel(socket.socket(fileno=descriptor))
    status = 0
    try:
        spec = PeerSpec(**{**order, "connect": tuple(order["connect"])})
        live(setup, tensors, spec, channel)
    except ParseDflError as error:
        channel.tell({"kind": "failed", "text": str(error)})
        status = 2
    except BaseException:  # noqa: BLE001 - the process ends here, and somebody must hear why
        channel.tell({"kind": "failed", "text": traceback.format_exc()})
        status = 1
    os._exit(status)


if __name__ == "__main__":
    main(sys.argv[1:])
