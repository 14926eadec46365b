"""Asynchronous gossip: everybody at its own pace, nobody waits for anybody."""

from __future__ import annotations

import signal

from parse_dfl.experiments.fleet import Fleet
from tests.peer.crowd import NAMES, crowd, tiny


def test_nobody_waits_for_one_that_hangs(tmp_path):
    config = tiny(peer__pace="asynchronous", peer__lease_s=60.0, peer__deadline_s=60.0)
    hung, rest = NAMES[0], NAMES[1:]
    with Fleet(config, tmp_path) as fleet, crowd(fleet, NAMES, tmp_path) as peers:
        peers.start()
        peers.wait(peers.reached(2))
        fleet.signal(hung, signal.SIGSTOP)
        peers.wait(peers.all_done(rest))  # the lease is long: it is there, and silent
        assert peers.round(hung) < config.training.rounds
        fleet.signal(hung, signal.SIGCONT)
        peers.wait(peers.all_done())
    for name in NAMES:
        assert peers.done(name)["scores"]["accuracy"] > 0.15
    mixed = [m for name in rest for m in peers.rounds(name) if len(m["missing"]) < 4]
    assert mixed
