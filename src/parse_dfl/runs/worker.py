"""Serve the launcher: fork one process that has loaded everything into a peer for every order.

Run as ``python -m parse_dfl.runs.worker SOCKET PARENT``.  The server imports and loads everything
once; the peers share its memory.  It has one thread and opens no session, so that a fork of it is
whole.  Whoever started it can die as it likes: the kernel then ends it, and its peers with it.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from threading import Event, Thread
from typing import Any

import torch

from parse_dfl.config import from_dict
from parse_dfl.engine.agent_data import TensorData
from parse_dfl.engine.trainer import Trainer
from parse_dfl.errors import ParseDflError
from parse_dfl.peers.identity import Identity, Insecure
from parse_dfl.peers.round_sync import Stop
from parse_dfl.peers.status import RoundReport
from parse_dfl.process import STOPS
from parse_dfl.runs.launcher import READ_BYTES, Channel, PeerSpec
from parse_dfl.runs.node import Site, build_node, final_scores, save_trained
from parse_dfl.runs.results import peak_memory_bytes
from parse_dfl.runs.setup import RunSetup, build_trainer, prepare
from parse_dfl.runs.shared_setup import SharedSetup

PR_SET_PDEATHSIG = 1


def serve(argv: list[str]) -> None:
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
    """Ask the kernel to kill this process when its parent ends (on Linux)."""
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
    """Run a peer to its end, then end the process."""
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


class _ChannelReporter:
    """Reports a peer's rounds over the channel."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def round(self, report: RoundReport) -> None:
        stats = report.stats
        self._channel.tell(
            {
                "kind": "round",
                "round": report.round,
                "payload": dict(stats.payload_bytes),
                "missing": sorted(stats.missing),
                "neighbours": dict(stats.neighbours),
                "sent_bytes": report.sent_bytes,
                "received_bytes": report.received_bytes,
                "refused": report.refused,
                "scores": report.scores,
            }
        )

    def agreed(self, payload_bytes: Mapping[str, int]) -> None:
        self._channel.tell({"kind": "agreed", "payload": dict(payload_bytes)})

    def note(self, text: str) -> None:
        self._channel.tell({"kind": "note", "text": text})


def live(setup: RunSetup, tensors: TensorData, spec: PeerSpec, channel: Channel) -> None:
    """Run one agent to its end, and stay until the launcher no longer needs it."""
    stop, dismissed = Stop(), Event()
    trainer = build_trainer(setup, tensors, spec.agent)
    Thread(target=_listen, args=(channel, stop, dismissed, trainer), daemon=True).start()
    identity = (
        Identity.load(Path(spec.certificates))
        if spec.certificates
        else Insecure(spec.agent, spec.federation)
    )
    site = Site(
        listen=[spec.listen],
        connect=spec.connect,
        wait_for=spec.wait_for,
        meet_s=spec.meet_s,
        folder=_state_folder(spec),
        ends_diverged=False,
    )
    node = build_node(setup, trainer, identity, site, reporter=_ChannelReporter(channel), stop=stop)
    node.run(stop)
    outcome = _outcome(setup, trainer, spec)
    channel.tell({"kind": "done", "validator": node.validation_report(), **outcome})
    dismissed.wait()
    node.close()


def _listen(channel: Channel, stop: Stop, dismissed: Event, trainer: Trainer) -> None:
    for message in channel:
        if "hold" in message:
            stop.hold()
            channel.tell({"kind": "held", "round": trainer.round + 1})  # it may just have begun
        if "stop_after" in message:
            stop.ask(message["stop_after"])
        if "dismissed" in message:
            break
    stop.ask()
    dismissed.set()


def _state_folder(spec: PeerSpec) -> Path | None:
    if not spec.folder:
        return None
    folder = Path(spec.folder) / "peers" / spec.agent
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _outcome(setup: RunSetup, trainer: Trainer, spec: PeerSpec) -> Mapping[str, Any]:
    """Return what the summary is made of; at the very end, write the agent's file."""
    stack = trainer.layout.stacks[0]
    outcome: dict[str, Any] = {
        "round": trainer.round,
        "group": stack.agents[0].group,
        "parameters": sum(rows.width for rows in stack.rows.values()),
        "branches": [str(branch) for branch in trainer.layout.branches],
        "peak_memory_bytes": peak_memory_bytes(),
    }
    if trainer.round == setup.config.training.rounds:
        outcome["scores"] = final_scores(setup, trainer)
        if spec.folder:
            save_trained(setup, trainer, Path(spec.folder) / "agents" / f"{spec.agent}.safetensors")
    return {**outcome, "clock": vars(trainer.clock)}


if __name__ == "__main__":
    serve(sys.argv[1:])
