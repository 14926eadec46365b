"""Measure the peers: ``python -m benchmarks.peers WHAT [CASE]``; results are kept by date.

wire CASE     bytes on the wire (inside: unshare --net sh -c 'ip link set lo up; ...')
throughput N  exchange against the bare transport, N peers on a ring (2)
engine        seconds to the first round of run --engine peers, 16 peers
commands      the same of 16 parse-dfl node commands, and their memory
memory        proportional memory of 16 peers of a fleet
churn         100 rounds of 12 peers, a third killed and started again
soak MINUTES  12 peers for long: memory and descriptors of each
unrest MINUTES  the same, half of them killed and started again, half stopped beyond their lease
huge MB        a message far too long (1000): what it costs the receiver
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.peers import endurance, huge, soak, start, throughput, wire
from benchmarks.speed.machine import machine

RESULTS = Path(__file__).parent / "results"
WHAT = {
    "wire": wire.measure,
    "throughput": throughput.measure,
    "engine": start.engine,
    "commands": start.commands,
    "memory": start.memory,
    "churn": endurance.churn,
    "soak": soak.soak,
    "unrest": soak.unrest,
    "huge": huge.measure,
}


def main(what: str, case: str = "") -> None:
    """Measure, print, and add a line to the day's results."""
    load = os.getloadavg()[0]
    result = WHAT[what](case)
    row = {"what": what, **result, "machine": machine() | {"load": round(load, 1)}}
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / f"{datetime.now(UTC):%Y-%m-%d}.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")
    print(json.dumps(row, indent=2))


if __name__ == "__main__":
    main(*sys.argv[1:])
