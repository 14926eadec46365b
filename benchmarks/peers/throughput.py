"""How fast branches are exchanged, against the bare transport in the same two processes.

Both send so many bytes to each other and wait for the other's, again and again; once through the
exchange (schema, signature, guard, mixing), once as plain bytes over the same kind of session.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from threading import Condition
from typing import Any

import torch

from benchmarks.peers.settings import LARGE, experiment
from parse_dfl.experiments.ingredients import gather
from parse_dfl.overlays.config import OverlayConfig
from parse_dfl.peer.certificates import create_ca, issue
from parse_dfl.peer.config import PeerConfig
from parse_dfl.peer.identity import Identity
from parse_dfl.peer.node import Node, NodeSettings
from parse_dfl.peer.stop import Stop
from parse_dfl.peer.transport import LinkSettings, Transport, largest_message_bytes
from parse_dfl.training.learner import Learner

HOST = "127.0.0.1"
PORTS = (17447, 17448)
ROUNDS = 20


class Silent:
    """Hears nothing."""

    def round(self, report: Any) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""


def measure(_: str) -> dict[str, Any]:
    """Bytes a second and direction of both."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        create_ca(folder / "CA", federation="bench", days=2)
        for agent in ("top-0", "top-1"):
            issue(folder / "CA", agent, hosts=[HOST], days=2, out=folder)
        other = os.fork()
        if not other:
            _side(folder, 1)
            os._exit(0)
        result = _side(folder, 0)
        os.waitpid(other, 0)
    return result


def _side(folder: Path, number: int) -> dict[str, Any]:
    torch.set_num_threads(1)
    config = experiment(LARGE, agents="top=2", training__rounds=ROUNDS)
    found = gather(config, [0])
    shard = found.shards[number]
    learner = Learner(
        found.tensors(), [shard], found.method, found.blueprint, training=config.training
    )
    identity = Identity.load(folder / shard.agent.name)
    link = LinkSettings(
        listen=[f"{HOST}:{PORTS[number]}"],
        connect=[f"{HOST}:{PORTS[0]}"] if number else [],
        limit_bytes=largest_message_bytes(learner),
    )
    transport = Transport(link, identity)
    bare = _bare(transport, number, learner)
    settings = NodeSettings(overlay=OverlayConfig(), peer=PeerConfig(), wait_for=2)
    node = Node(
        learner, transport, identity, settings, state=None, evaluation=None, reporter=Silent()
    )
    node._meet(Stop())
    payload = sum(rows.theta.nbytes for rows in learner.layout.branches.values())
    seconds = []
    for _ in range(ROUNDS):
        learner.begin_round()
        begin = time.perf_counter()
        node._exchanger.exchange(learner)
        seconds.append(time.perf_counter() - begin)
    node.linger(Stop(), seconds=1)
    node.close()
    steady = sorted(seconds)[ROUNDS // 2]
    return {
        "payload_bytes": payload,
        "exchange_bytes_a_second": payload / steady,
        "bare_bytes_a_second": payload / bare,
        "ratio": bare / steady,
    }


def _bare(transport: Transport, number: int, learner: Learner) -> float:
    """Median seconds of a round of plain bytes of the same sizes."""
    sizes = [rows.theta.nbytes for rows in learner.layout.branches.values()]
    arrived, condition = [0], Condition()

    def take(key: str, payload: bytes) -> None:  # noqa: ARG001
        with condition:
            arrived[0] += 1
            condition.notify()

    transport.listen([f"bench/bare/{number}"], take)
    blobs = [bytes(size) for size in sizes]
    while not transport.peers():
        time.sleep(0.01)
    time.sleep(1.0)  # for both subscriptions to be known; nothing is measured by now
    seconds = []
    for round in range(1, ROUNDS + 1):
        begin = time.perf_counter()
        for blob in blobs:
            transport.send(f"bench/bare/{1 - number}", blob)
        with condition:
            condition.wait_for(lambda round=round: arrived[0] >= round * len(blobs), timeout=30)
        seconds.append(time.perf_counter() - begin)
    transport.listen([], take)
    return sorted(seconds)[ROUNDS // 2]
