"""Bytes on the wire against the parameters that were wanted.

Counted outside of the program: the loopback of a network namespace of its own, TCP and IP headers,
TLS, handshakes and membership included (``unshare --net``).
"""

from __future__ import annotations

from typing import Any

from benchmarks.peers.settings import LARGE, experiment
from benchmarks.peers.watch import loopback_bytes, watched

CASES = {
    "default networks": ({}, 40),
    "default networks, insecure": ({"peer.insecure": True}, 40),
    "large networks": ({**LARGE, "agents": "top=2,bottom=2,bottom+top=4"}, 5),
}


def measure(case: str) -> dict[str, Any]:
    """Run the case; bytes in all and a message."""
    settings, rounds = CASES[case]
    config = experiment(settings, training__rounds=rounds)
    before = loopback_bytes()
    with watched(config) as watch:
        watch.start()
        watch.wait(watch.all_done)
        wire = loopback_bytes() - before
        reports = [report for own in watch.reports.values() for report in own.values()]
    payload = sum(sum(report["payload"].values()) for report in reports)
    sent = sum(
        max(own.values(), key=lambda r: r["round"])["sent_bytes"] for own in watch.reports.values()
    )
    messages = sum(len(names) for report in reports for names in report["neighbours"].values())
    return {
        "case": case,
        "peers": len(watch.names),
        "rounds": rounds,
        "payload_bytes": payload,
        "message_bytes": sent,
        "wire_bytes": wire,
        "messages": messages,
        "ratio": wire / payload,
        "overhead_bytes_a_message": (wire - payload) / messages,
        "mean_payload_bytes_a_message": payload / messages,
    }
