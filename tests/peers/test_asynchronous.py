"""Asynchronous gossip: everybody at its own pace, nobody waits for anybody."""

from __future__ import annotations

import signal

import pytest

from parse_dfl.runs.launcher import Launcher
from tests.peers.crowd import NAMES, crowd, tiny

SLOW, REST = NAMES[0], NAMES[1:]
LEAP = 12
"""The others do so many rounds while the slow one does not move."""


@pytest.fixture
def peers(tmp_path):
    config = tiny(
        peer__pace="asynchronous",
        peer__lease_s=60.0,
        peer__deadline_s=60.0,
        training__rounds=10_000,
        eval_every=10_000,
    )
    with Launcher(config, tmp_path) as fleet, crowd(fleet, NAMES, tmp_path) as peers:
        peers.start()
        peers.wait(peers.reached(2))
        yield peers


def mixed_with(report):
    """Whose states went into a round of which a peer has told."""
    return {name for own in report["neighbours"].values() for name in own} - set(report["missing"])


def leaves_out_nothing(peers, name):
    """Whether a peer has done all its rounds one by one, wherever the others were."""
    rounds = [report["round"] for report in peers.rounds(name)]
    return rounds == list(range(1, len(rounds) + 1))


def test_nobody_waits_for_one_that_hangs_and_it_mixes_again_afterwards(peers):
    peers.fleet.signal(SLOW, signal.SIGSTOP)
    peers.wait(peers.reached(max(map(peers.round, REST)) + LEAP, REST))
    hung_in = peers.round(SLOW)  # lines that were on their way have come by now
    peers.wait(peers.reached(max(map(peers.round, REST)) + LEAP, REST))  # it is there, and silent
    assert peers.round(SLOW) == hung_in
    seen = len(peers.rounds(REST[0]))
    peers.wait(lambda: any(mixed_with(report) for report in peers.rounds(REST[0])[seen:]))
    peers.fleet.signal(SLOW, signal.SIGCONT)
    peers.wait(lambda: mixed_with(peers.rounds(SLOW)[-1]) and peers.round(SLOW) > hung_in + 5)
    assert leaves_out_nothing(peers, SLOW)


def test_agents_of_very_different_speed_go_on_exchanging(peers):
    for _ in range(2):
        peers.fleet.signal(SLOW, signal.SIGSTOP)
        peers.wait(peers.reached(max(map(peers.round, REST)) + LEAP, REST))
        peers.fleet.signal(SLOW, signal.SIGCONT)
        peers.wait(peers.reached(peers.round(SLOW) + 2, [SLOW]))
    behind = min(map(peers.round, REST)) - peers.round(SLOW)
    assert behind > LEAP
    seen = {name: len(peers.rounds(name)) for name in NAMES}
    friends = {name for own in peers.rounds(SLOW)[-1]["neighbours"].values() for name in own}
    peers.wait(lambda: any(mixed_with(r) for r in peers.rounds(SLOW)[seen[SLOW] :]))
    peers.wait(
        lambda: all(
            any(SLOW in mixed_with(r) for r in peers.rounds(name)[seen[name] :]) for name in friends
        )
    )
    assert all(leaves_out_nothing(peers, name) for name in NAMES)
