"""A node on a network that the test plays: what it sends, and what a restart changes in that."""

from __future__ import annotations

import pytest

from parse_dfl.config import OverlayConfig, PeerConfig
from parse_dfl.engine.trainer import Trainer
from parse_dfl.errors import IdentityError
from parse_dfl.peers.announcement import PeerInfo, write_info
from parse_dfl.peers.config import NodeSettings
from parse_dfl.peers.identity import Insecure
from parse_dfl.peers.messages import decode
from parse_dfl.peers.node import Node
from parse_dfl.peers.node_state import StateFile
from parse_dfl.peers.round_sync import NewerRounds, Stop
from parse_dfl.peers.topics import Topics
from tests.peers.trust import make_agent
from tests.small import federation

ME, OTHER = "a-0", "a-1"
KEYS = Topics("demo")
NOON, DAY = 1_800_000_000 * 10**9, 86400 * 10**9
"""Nanoseconds since 1970."""


class Wire:
    """A network on which one other agent is alive and never sends anything."""

    def __init__(self, info, other):
        self.token, self.sent = KEYS.alive("a", OTHER, write_info(info, other)), []

    def living(self, pattern, *, timeout_s):
        return set()

    def watch(self, pattern, seen):
        seen(self.token, True)

    def send(self, key, payload):
        self.sent.append(decode(payload, limit_bytes=10**6).header)
        return True

    def announce(self, keys):
        """Nobody looks."""

    def listen(self, keys, take):
        """Nothing comes."""

    def answer(self, pattern, reply):
        """Nobody asks."""

    def close(self):
        """Nothing is open."""


class Heard:
    """What a node has told; ``each`` is called after a round."""

    def __init__(self, each=lambda round: None):
        self.notes, self.each = [], each

    def round(self, report):
        self.each(report.round)

    def note(self, text):
        self.notes.append(text)


NOBODIES = (Insecure(ME, "demo"), Insecure(OTHER, "demo"))


def run(folder, rounds, *, checkpoint_every=1, heard=None, identities=NOBODIES):
    """The headers that an asynchronous node sent up to a round."""
    trainer = federation(agents="a=1", rounds=9)
    info = PeerInfo(
        name=OTHER, seed=0, modalities=("a",), samples=4,
        branches=tuple(trainer.layout.branches), created_ns=1,
    )  # fmt: skip
    me, other = identities
    wire, stop = Wire(info, other), Stop()
    node = Node(
        trainer,
        wire,
        me,
        NodeSettings(
            overlay=OverlayConfig(),
            peer=PeerConfig(pace="asynchronous"),
            checkpoint_every=checkpoint_every,
        ),
        state=StateFile(folder, ME, "x"),
        evaluation=None,
        reporter=heard or Heard(),
    )
    stop.ask(rounds)
    node.run(stop)
    node.close()
    return wire.sent


@pytest.fixture
def clock(monkeypatch):
    """Sets the site's clock."""
    return lambda now: monkeypatch.setattr("time.time_ns", lambda: now)


def test_after_a_restart_it_is_heard_though_its_clock_was_set_back(tmp_path, clock):
    neighbour, sent = NewerRounds(), []
    for rounds, now in ((2, NOON), (4, NOON - DAY), (6, NOON - 2 * DAY)):
        clock(now)
        sent.append(run(tmp_path, rounds))
        for header in sent[-1]:
            neighbour.check(header, own=1)  # raises a Rejected for what looks old
            neighbour.accepted(header)
    assert [{header.round for header in headers} for headers in sent] == [{1, 2}, {3, 4}, {5, 6}]
    first, second, third = ({header.started_ms for header in headers}.pop() for headers in sent)
    assert NOON // 10**6 == first < second < third


def test_with_a_clock_that_goes_on_it_is_born_when_it_begins(tmp_path, clock):
    for rounds, now in ((1, NOON), (2, NOON + DAY)):
        clock(now)
        assert {header.started_ms for header in run(tmp_path, rounds)} == {now // 10**6}


def test_one_whose_certificate_expires_meanwhile_ends_with_an_error_and_a_checkpoint(
    tmp_path, monkeypatch
):
    identities = [make_agent(tmp_path, name) for name in (ME, OTHER)]
    late = identities[0].certified.valid_until + 1

    def each(round):
        if round == 3:
            monkeypatch.setattr("time.time", lambda: late)

    with pytest.raises(IdentityError, match=f"{ME} expired on .*, others refuse .*cert issue {ME}"):
        run(tmp_path, 9, checkpoint_every=5, heard=Heard(each), identities=identities)
    monkeypatch.undo()
    heard = Heard()
    run(tmp_path, 4, heard=heard)
    assert heard.notes[0] == "goes on after round 3"


def test_one_that_diverges_leaves_sends_nothing_more_and_keeps_its_last_checkpoint(
    tmp_path, monkeypatch
):
    train = Trainer.train

    def spoilt(trainer, absent):
        train(trainer, absent)
        if trainer.round == 3:
            for rows in trainer.layout.branches.values():
                rows.params[:, 0] = float("nan")

    monkeypatch.setattr(Trainer, "train", spoilt)
    heard = Heard()
    sent = run(tmp_path, 9, heard=heard)
    assert {header.round for header in sent} == {1, 2}
    assert heard.notes[-1].startswith("diverged in round 3: parameters are not finite")
    monkeypatch.undo()
    again = Heard()
    run(tmp_path, 2, heard=again)
    assert again.notes == ["goes on after round 2"]
