"""A node on a network that the test plays: what it sends, and what a restart changes in that."""

from __future__ import annotations

import errno

import pytest
import torch

from parse_dfl.config import OverlayConfig, PeerConfig
from parse_dfl.engine.checkpoint import write_tensors
from parse_dfl.engine.trainer import Trainer
from parse_dfl.errors import CheckpointError, IdentityError
from parse_dfl.peers.announcement import PeerInfo
from parse_dfl.peers.identity import Insecure
from parse_dfl.peers.messages import decode
from parse_dfl.peers.node import CHECKPOINT, Node, NodeSettings, StateFile
from parse_dfl.peers.round_sync import NewerRounds, Stop
from parse_dfl.peers.transport import Topics
from tests.peers.trust import make_agent
from tests.small import federation

ME, OTHER = "a-0", "a-1"
KEYS = Topics("demo")
NOON, DAY = 1_800_000_000 * 10**9, 86400 * 10**9
"""Nanoseconds since 1970."""


class Wire:
    """A network on which one other agent is alive and never sends anything."""

    def __init__(self, info, other):
        self.token, self.sent = KEYS.alive("a", OTHER, info.to_string(other)), []

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

    def ask(self, key, take, *, timeout_s):
        """Nobody answers."""

    def peers(self):
        return 1

    def close(self):
        """Nothing is open."""


class Heard:
    """What a node has told; ``each`` is called after a round."""

    def __init__(self, each=lambda round: None):
        self.notes, self.each = [], each

    def round(self, report):
        self.each(report.round)

    def agreed(self, payload_bytes):
        self.payload_bytes = payload_bytes

    def note(self, text):
        self.notes.append(text)


NOBODIES = (Insecure(ME, "demo"), Insecure(OTHER, "demo"))


def run(
    folder,
    rounds,
    *,
    checkpoint_every=1,
    heard=None,
    identities=NOBODIES,
    agree=False,
    waits_s=10.0,
):
    """The headers that an asynchronous node sent up to a round."""
    trainer = federation(agents="a=1", rounds=9).trainer
    info = PeerInfo(
        name=OTHER, seed=0, modalities=("a",), samples=4,
        branches=tuple(trainer.layout.branches), created_ns=1, local_steps=2,
    )  # fmt: skip
    me, other = identities
    wire, stop = Wire(info, other), Stop()
    node = Node(
        trainer,
        wire,
        me,
        NodeSettings(
            overlay=OverlayConfig(),
            peer=PeerConfig(pace="asynchronous", deadline_s=waits_s),
            checkpoint_every=checkpoint_every,
            agree=agree,
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
            neighbour.check(header, round=1)  # raises a Rejected for what looks old
            neighbour.accepted(header)
    assert [{header.round for header in headers} for headers in sent] == [{1, 2}, {3, 4}, {5, 6}]
    first, second, third = ({header.started_ms for header in headers}.pop() for headers in sent)
    assert NOON // 10**6 == first < second < third


def test_with_a_clock_that_goes_on_it_is_born_when_it_begins(tmp_path, clock):
    for rounds, now in ((1, NOON), (2, NOON + DAY)):
        clock(now)
        assert {header.started_ms for header in run(tmp_path, rounds)} == {now // 10**6}


def test_after_a_restart_it_agrees_on_nothing_anew_but_takes_its_checkpoints_moments(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("parse_dfl.peers.node.STATUS_TIMEOUT_S", 0.1)
    first, again = Heard(), Heard()
    run(tmp_path, 1, heard=first, agree=True, waits_s=0.2)
    assert first.notes == [
        "no owner of a was heard: it is standardised by this agent's samples alone"
    ]
    assert first.payload_bytes[OTHER] > 0
    _, header = StateFile(tmp_path, ME, "x").load()
    run(tmp_path, 2, heard=again, agree=True, waits_s=0.2)
    assert again.notes == ["goes on after round 1"]
    assert not hasattr(again, "payload_bytes")
    _, later = StateFile(tmp_path, ME, "x").load()
    assert later["moments"] == header["moments"]


def test_one_whose_certificate_expires_meanwhile_ends_with_an_error_and_a_checkpoint(
    tmp_path, monkeypatch
):
    identities = [make_agent(tmp_path, name) for name in (ME, OTHER)]
    late = identities[0].verified.valid_until + 1

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


class AfterRound:
    """What a state file needs of a trainer."""

    def __init__(self, round):
        self.round = round

    def tensors(self):
        return {"theta": torch.full((3,), float(self.round))}


def test_a_full_disk_stops_the_checkpoint_says_so_and_leaves_the_last_good_one(
    tmp_path, monkeypatch
):
    file = StateFile(tmp_path, "acc-0", "x")
    assert file.save(AfterRound(5), {}) is None

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    problem = file.save(AfterRound(6), {})
    assert problem is not None
    assert problem.startswith("no checkpoint of round 6: cannot write")
    assert "No space left on device" in problem
    monkeypatch.undo()
    tensors, header = file.load()
    assert (header["round"], tensors["theta"].tolist()) == (5, [5.0] * 3)
    assert [each.name for each in tmp_path.iterdir()] == [CHECKPOINT]


@pytest.mark.parametrize(("agent", "experiment"), [("acc-1", "x"), ("acc-0", "y")])
def test_the_checkpoint_of_another_is_refused(agent, experiment, tmp_path):
    StateFile(tmp_path, "acc-0", "x").save(AfterRound(5), {})
    with pytest.raises(CheckpointError, match="is the checkpoint of another"):
        StateFile(tmp_path, agent, experiment).load()


def test_the_checkpoint_of_a_program_that_standardised_otherwise_is_refused(tmp_path):
    header = {"agent": "acc-0", "experiment": "x", "round": 5}
    write_tensors(tmp_path / CHECKPOINT, AfterRound(5).tensors(), header)
    with pytest.raises(CheckpointError, match=r"is of another version .* standardised its inputs"):
        StateFile(tmp_path, "acc-0", "x").load()


def test_what_differs_is_named_with_both_values(tmp_path):
    before, now = {"training": {"lr": 0.5}, "seed": 0}, {"training": {"lr": 0.25}, "seed": 0}
    StateFile(tmp_path, "acc-0", "x", settings=before).save(AfterRound(5), {})
    with pytest.raises(CheckpointError, match=r"\(training.lr is 0.5 there, 0.25 here\)"):
        StateFile(tmp_path, "acc-0", "y", settings=now).load()
