"""How fast branches are exchanged, against the bare transport between the same processes.

Peers send so many bytes to each other and wait for the others', again and again: in turns of some
rounds through the exchange (schema, signature, validator, mixing) and as plain bytes, between the
same neighbours, over the same sessions.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Condition
from typing import Any

import torch
from zenoh.handlers import Callback

from benchmarks.peers.settings import LARGE, experiment
from parse_dfl.config import OverlayConfig, PeerConfig
from parse_dfl.engine.trainer import Trainer
from parse_dfl.peers.certificates import create_ca, issue
from parse_dfl.peers.identity import Identity
from parse_dfl.peers.node import Node, NodeSettings
from parse_dfl.peers.round_sync import Stop
from parse_dfl.peers.transport import LinkSettings, Transport, largest_message_bytes
from parse_dfl.runs.setup import prepare
from parse_dfl.runs.shared_setup import tensors_of

HOST, PORT = "127.0.0.1", 17447
TURNS, ROUNDS = 5, 8
"""Turns of each kind, and rounds in a turn; the first turn of each is not counted."""


class Silent:
    """Hears nothing."""

    def round(self, report: Any) -> None:
        """Nothing."""

    def agreed(self, payload_bytes: Any) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""


def measure(peers: str) -> dict[str, Any]:
    """Payload bytes a second, sent by all together, both ways; ``peers`` on a ring (2)."""
    count = int(peers or 2)
    fork = multiprocessing.get_context("fork")
    barrier, results = fork.Barrier(count), fork.SimpleQueue()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        create_ca(folder / "CA", federation="bench", days=2)
        for number in range(count):
            issue(folder / "CA", f"top-{number}", hosts=[HOST], days=2, out=folder)
        sides = [
            fork.Process(target=_side, args=(folder, number, count, barrier, results))
            for number in range(count)
        ]
        for side in sides:
            side.start()
        told = [results.get() for _ in sides]
        for side in sides:
            side.join()
    return _summary(told)


def _summary(told: Sequence[dict[str, Any]]) -> dict[str, Any]:
    sent = sum(each["sent_bytes"] for each in told)
    seconds = {kind: _median(told[0][kind]) for kind in ("bare", "exchange")}
    pairs = zip(told[0]["bare"], told[0]["exchange"], strict=True)
    return {
        "peers": len(told),
        "sent_bytes_a_round_and_peer": sent / len(told),
        "exchange_bytes_a_second": sent / seconds["exchange"],
        "bare_bytes_a_second": sent / seconds["bare"],
        "ratio": seconds["bare"] / seconds["exchange"],
        "ratios_by_turn": [round(bare / exchange, 3) for bare, exchange in pairs],
        "missing": sum(each["missing"] for each in told),
    }


def _side(folder: Path, number: int, count: int, barrier: Any, results: Any) -> None:
    """One peer; seconds are those of all: from barrier to barrier."""
    torch.set_num_threads(1)
    trainer, node = _node(folder, number, count)
    places = node._exchanger.find_neighbours(trainer, trainer.round + 1)
    receivers = [agent.name for agent in places[0].receivers]
    sizes = [rows.params.nbytes for rows in trainer.layout.branches.values()]
    bare = _Bare(node._transport, node.name, receivers, sizes)
    missing = 0

    def exchange() -> None:
        nonlocal missing
        trainer.begin_round()
        missing += len(node._exchanger.exchange(trainer).missing)

    taken: dict[str, list[float]] = {"bare": [], "exchange": []}
    for turn in range(1 + TURNS):
        for kind, step in (("bare", bare.round), ("exchange", exchange)):
            seconds = _turn(barrier, step)
            taken[kind] += [seconds] if turn else []
    node.linger(Stop(), seconds=1)
    barrier.wait()
    node.close()
    results.put({**taken, "sent_bytes": sum(sizes) * len(receivers), "missing": missing})


def _node(folder: Path, number: int, count: int) -> tuple[Trainer, Node]:
    """A peer that has met all others."""
    config = experiment(LARGE, agents=f"top={count}", training__rounds=(2 + TURNS) * ROUNDS)
    found = prepare(config, [0])
    shard = found.agent_data[number]
    trainer = Trainer(
        tensors_of(config, found.data),
        [shard],
        found.method,
        found.network_spec,
        training=config.training,
    )
    identity = Identity.load(folder / shard.agent.name)
    link = LinkSettings(
        listen=[f"{HOST}:{PORT + number}"],
        connect=[f"{HOST}:{PORT}"] if number else [],
        limit_bytes=largest_message_bytes(trainer),
    )
    settings = NodeSettings(overlay=OverlayConfig(), peer=PeerConfig(), wait_for=count)
    node = Node(
        trainer,
        Transport(link, identity),
        identity,
        settings,
        state=None,
        evaluation=None,
        reporter=Silent(),
    )
    node._meet(Stop())
    return trainer, node


def _turn(barrier: Any, step: Callable[[], None]) -> float:
    """Seconds a round, of all peers."""
    barrier.wait()
    begin = time.perf_counter()
    for _ in range(ROUNDS):
        step()
    barrier.wait()
    return (time.perf_counter() - begin) / ROUNDS


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


class _Bare:
    """Plain bytes to the same neighbours."""

    def __init__(
        self, transport: Transport, own: str, receivers: Sequence[str], sizes: Sequence[int]
    ) -> None:
        self._transport, self._receivers = transport, receivers
        self._blobs = [bytes(size) for size in sizes]
        self._arrived, self._expected, self._condition = 0, 0, Condition()
        take = Callback(self._take, indirect=False)
        self._kept = transport._session.declare_subscriber(f"bench/bare/{own}", take)
        while not all(transport.send(f"bench/bare/{name}", b"") for name in receivers):
            time.sleep(0.01)

    def _take(self, sample: Any) -> None:
        size = len(sample.payload.to_bytes())
        with self._condition:
            self._arrived += bool(size)
            self._condition.notify()

    def round(self) -> None:
        """Send to all neighbours, and wait for theirs."""
        for blob in self._blobs:
            for name in self._receivers:
                self._transport.send(f"bench/bare/{name}", blob)
        self._expected += len(self._blobs) * len(self._receivers)
        with self._condition:
            assert self._condition.wait_for(lambda: self._arrived >= self._expected, timeout=60)
