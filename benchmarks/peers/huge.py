"""One message far longer than any branch: is it refused, what does that cost the receiver?"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import Any

from parse_dfl.peers.certificates import create_ca, issue
from parse_dfl.peers.identity import Identity
from parse_dfl.peers.transport import LinkSettings, Transport

HOST, PORT, KEY = "127.0.0.1", 17997, "bench/huge"
LIMIT_BYTES = 1 << 20


def measure(megabytes: str) -> dict[str, Any]:
    """Send so many MB (1000) with mTLS to a receiver that takes 1 MB; then a short message."""
    size = int(float(megabytes or 1000) * 1e6)
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        create_ca(folder / "CA", federation="bench", days=2)
        for agent in ("sender", "receiver"):
            issue(folder / "CA", agent, hosts=[HOST], days=2, out=folder)
        receiver = spawn.Process(target=_receive, args=(folder, theirs), daemon=True)
        receiver.start()
        before = ours.recv()
        transport = _transport(folder / "sender", port=0, connect=[f"{HOST}:{PORT}"])
        while not transport.send(KEY, b"first"):
            time.sleep(0.05)
        begin = time.monotonic()
        transport.send(KEY, bytes(size))
        seconds = time.monotonic() - begin
        while not ours.poll(0.1):
            transport.send(KEY, b"last")
        sizes, after = ours.recv()
        transport.close()
        receiver.terminate()
    return {
        "sent_bytes": size,
        "seconds": round(seconds, 1),
        "longest_received_bytes": max(sizes),
        "receiver_peak_bytes_before": before,
        "receiver_peak_bytes_after": after,
    }


def _receive(folder: Path, channel: Any) -> None:
    """Listen to the last message; tell the lengths that came, and the peak of memory."""
    transport = _transport(folder / "receiver", port=PORT, connect=[])
    sizes: list[int] = []

    def take(key: str, raw: bytes) -> None:  # noqa: ARG001
        sizes.append(len(raw))
        if raw == b"last":
            channel.send((sizes, _peak_bytes()))

    transport.listen([KEY], take)
    channel.send(_peak_bytes())
    channel.recv()


def _transport(folder: Path, *, port: int, connect: list[str]) -> Transport:
    link = LinkSettings(listen=[f"{HOST}:{port}"], connect=connect, limit_bytes=LIMIT_BYTES)
    return Transport(link, Identity.load(folder))


def _peak_bytes() -> int:
    """The most that this process has held in memory."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no peak of memory")
