"""Peers whose rounds last for hours, in either pace: they pause, and stop when they are told."""

from __future__ import annotations

import pytest

from parse_dfl.runs.launcher import Launcher
from tests.peers.crowd import crowd, tiny

TWO = ["top-0", "top-1"]


@pytest.mark.parametrize("pace", ["synchronous", "asynchronous"])
def test_peers_that_pause_stop_at_once_when_they_are_asked_to(pace, tmp_path):
    config = tiny(agents="top=2", peer__pace=pace, peer__least_round_s=10_000.0)
    with Launcher(config, tmp_path) as fleet, crowd(fleet, TWO, tmp_path) as peers:
        peers.start()
        peers.wait(peers.reached(1))
        for name in TWO:
            fleet.tell(name, stop_after=1)
        peers.wait(peers.all_done())
        assert [peers.done(name)["round"] for name in TWO] == [1, 1]
        if pace == "synchronous":
            assert not any(report["missing"] for name in TWO for report in peers.rounds(name))
