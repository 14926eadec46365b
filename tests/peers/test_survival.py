"""Peers as processes: killed, hung, restarted, changed; the others go on."""

from __future__ import annotations

import math
import signal

import pytest

from parse_dfl.runs.launcher import Launcher
from tests.peers.crowd import NAMES, crowd, tiny

LAST = 40
CHANGES = ("15:bottom+top-0:-top", "25:bottom+top-0:+top")


@pytest.fixture(scope="module")
def fleet():
    """One process that has loaded the experiment, for all tests of this file."""
    with Launcher(tiny(events=CHANGES), None, bootstraps=2) as fleet:
        yield fleet


@pytest.fixture
def peers(fleet, tmp_path):
    with crowd(fleet, NAMES, tmp_path) as peers:
        yield peers


def finite(peers, names):
    """Whether all are at their last round with a loss that is a number."""
    return all(
        peers.done(name)["round"] == LAST and math.isfinite(peers.done(name)["scores"]["loss"])
        for name in names
    )


def test_a_modality_lost_and_gained_changes_the_overlays_of_its_branches_only(peers):
    peers.start()
    peers.wait(peers.all_done())
    assert finite(peers, NAMES)
    owners = [name for name in NAMES if "top" in name.rpartition("-")[0].split("+")]

    def meets(branch, round):
        return any(
            "bottom+top-0" in peers.neighbours(name, branch, round)
            for name in NAMES
            if name != "bottom+top-0"
        )

    assert owners
    for round, has_top in ((10, True), (20, False), (35, True)):
        assert meets("top/backbone", round) == has_top
        assert meets("bottom/backbone", round)
    assert not peers.neighbours("bottom+top-0", "top/backbone", 20)


def test_a_third_is_killed_the_others_go_on_and_the_dead_come_back(peers):
    dead, alive = NAMES[::3], [name for name in NAMES if name not in NAMES[::3]]
    peers.start()
    peers.wait(peers.reached(8))
    for name in dead:
        peers.fleet.signal(name, signal.SIGKILL)
    peers.wait(lambda: peers.ended >= set(dead))
    peers.wait(peers.reached(max(map(peers.round, NAMES)) + 6, alive))
    for name in alive:
        met = {other for own in peers.rounds(name)[-1]["neighbours"].values() for other in own}
        assert not met & set(dead)
    peers.start(dead, wait_for=2)
    peers.wait(peers.all_done())
    assert finite(peers, NAMES)
    for name in dead:
        notes = [m["text"] for m in peers.told[name] if m["kind"] == "note"]
        assert any(note.startswith("goes on after round") for note in notes)


def test_the_bootstraps_die_and_a_disk_is_full_and_nobody_is_disturbed(peers, tmp_path):
    first, rest, full = NAMES[:2], NAMES[2:], NAMES[4]
    peers.start()
    peers.wait(peers.reached(5))
    place = tmp_path / "peers" / full
    place.rename(tmp_path / "gone")
    place.touch()  # nothing can be written there, as on a full disk
    for name in first:
        peers.fleet.signal(name, signal.SIGKILL)
    peers.wait(peers.all_done(rest))
    assert finite(peers, rest)
    notes = [m["text"] for m in peers.told[full] if m["kind"] == "note"]
    assert any("no checkpoint of round" in note and "cannot write" in note for note in notes)


def test_a_peer_that_hangs_is_left_behind_and_mixes_again(tmp_path):
    hung, rest = NAMES[4], [name for name in NAMES if name != NAMES[4]]
    endless = tiny(training__rounds=10_000, eval_every=10_000)
    with Launcher(endless, tmp_path, bootstraps=2) as fleet, crowd(fleet, NAMES, tmp_path) as peers:
        peers.start()
        peers.wait(peers.reached(5))
        fleet.signal(hung, signal.SIGSTOP)
        there = max(map(peers.round, rest)) + 8
        peers.wait(peers.reached(there, rest))
        fleet.signal(hung, signal.SIGCONT)
        peers.wait(lambda: peers.round(hung) >= there and peers.mixed_with(hung))
        peers.wait(lambda: any(hung in peers.mixed_with(name) for name in rest))


def test_peers_that_stopped_go_on_from_their_checkpoints(peers):
    peers.start()
    peers.wait(peers.reached(5))
    last = max(map(peers.round, NAMES)) + 3
    for name in NAMES:
        peers.fleet.tell(name, stop_after=last)
    peers.wait(peers.all_done())
    stopped = {name: peers.done(name)["round"] for name in NAMES}
    assert set(stopped.values()) == {last}
    for name in NAMES:
        peers.fleet.tell(name, dismissed=True)
        peers.told[name].clear()
    peers.wait(lambda: peers.ended == set(NAMES))
    peers.start()
    peers.wait(peers.all_done())
    assert finite(peers, NAMES)
    for name in NAMES:
        assert [m["round"] for m in peers.rounds(name)] == list(range(last + 1, LAST + 1))
