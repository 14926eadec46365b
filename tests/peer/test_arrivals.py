from __future__ import annotations

import time
from threading import Condition

import torch

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import Branch
from parse_dfl.peer.arrivals import Arrivals
from parse_dfl.peer.config import PeerConfig
from parse_dfl.peer.guard import Guard
from parse_dfl.peer.identity import Insecure
from parse_dfl.peer.keys import Keys
from parse_dfl.peer.neighbours import Neighbours
from parse_dfl.peer.schema import Schema
from parse_dfl.peer.windows import rounds_for
from parse_dfl.peer.wire import Header, encode

KEYS = Keys("demo")
BRANCH = Branch("a", "head", "12")
TENSORS = {"theta": torch.ones(3)}
X, Y = (AgentSpec(name=name, modalities=("a",)) for name in "xy")
PLACES = [
    Neighbours(
        branch=BRANCH, label="a", degree=2, receivers=(X, Y), senders=(X, Y), audible=("x", "y")
    )
]


class Wire:
    """A network that answers questions with what the test put there."""

    def __init__(self):
        self.keys, self.take, self.asked, self.answers = [], None, [], {}

    def listen(self, keys, take):
        self.keys, self.take = sorted(keys), take

    def ask(self, key, take, *, timeout_s):
        self.asked.append(key)
        if key in self.answers:
            take(key, self.answers[key])


class Living:
    def __init__(self, *names):
        self.names = set(names)

    def view(self):
        return dict.fromkeys(self.names)


def message(sender, round):
    header = Header(
        federation="demo", sender=sender, branch=str(BRANCH), label="a", round=round, degree=1,
        samples=1, schema=Schema.of(TENSORS).digest,
    )  # fmt: skip
    return encode(header, TENSORS, Insecure(sender, "demo"))


def arrivals(wire, living=("x", "y"), deadline_s=0.05):
    settings = PeerConfig(deadline_s=deadline_s)
    guard = Guard(federation="demo", own="me", authority=None, rounds=rounds_for(settings))
    guard.expect(str(BRANCH), Schema.of(TENSORS))
    made = Arrivals(wire, Living(*living), guard, KEYS, "me", Condition(), settings)
    made.want(PLACES)
    return made


def arrive(wire, sender, round):
    wire.take(KEYS.slice(to="me", sender=sender, branch=str(BRANCH)), message(sender, round))


def test_it_listens_to_the_wanted_slices_of_the_neighbours_only():
    wire = Wire()
    arrivals(wire)
    assert wire.keys == [f"demo/slices/me/{name}/a/head/12" for name in "xy"]


def test_when_all_is_there_nothing_is_waited_for():
    wire = Wire()
    box = arrivals(wire, deadline_s=1000.0)
    arrive(wire, "x", 3), arrive(wire, "y", 3)
    box.wait(PLACES, 3, lead=1)
    assert box.states.at("x", str(BRANCH), 3).arrived == 3
    assert box.rounds({"x", "y", "z"}) == {"x": 3, "y": 3}
    assert not box.late


def test_who_lets_the_deadline_pass_is_not_waited_for_until_it_is_heard_of():
    wire = Wire()
    box = arrivals(wire)
    arrive(wire, "x", 3)
    box.wait(PLACES, 3, lead=1)
    assert box.late == {"y"}
    arrive(wire, "x", 4)
    begin = time.monotonic()
    box._settings = PeerConfig(deadline_s=1000.0)
    box.wait(PLACES, 4, lead=1)
    assert time.monotonic() - begin < 500
    arrive(wire, "y", 4)
    box.sort_in(4)
    assert not box.late


def test_who_may_be_in_its_pause_does_not_let_a_deadline_pass():
    wire = Wire()
    box = arrivals(wire)
    box._settings = PeerConfig(deadline_s=0.05, least_round_s=1000.0)
    arrive(wire, "x", 3)
    key = KEYS.again(sender="y", to="me", branch=str(BRANCH), round=3)
    wire.answers[key] = message("y", 3)  # comes when it is asked for, after the deadline
    box.wait(PLACES, 3, lead=1)
    assert not box.late


def test_who_is_gone_is_not_waited_for():
    wire = Wire()
    box = arrivals(wire, living=("x",), deadline_s=1000.0)
    arrive(wire, "x", 3)
    box.wait(PLACES, 3, lead=1)
    assert not box.late


def test_a_message_that_was_lost_is_asked_for():
    wire = Wire()
    box = arrivals(wire, deadline_s=1000.0)
    arrive(wire, "x", 3)
    key = KEYS.again(sender="y", to="me", branch=str(BRANCH), round=3)
    wire.answers[key] = message("y", 3)
    box.wait(PLACES, 3, lead=1)
    assert wire.asked == [key]


def test_a_later_state_is_taken_only_if_the_sender_says_so():
    wire = Wire()
    box = arrivals(wire, deadline_s=1000.0)
    arrive(wire, "x", 3), arrive(wire, "y", 4)
    key = KEYS.again(sender="y", to="me", branch=str(BRANCH), round=3)
    wire.answers[key] = message("y", 4)
    box.wait(PLACES, 3, lead=1)
    assert wire.asked == [key]
    assert box.states.at("y", str(BRANCH), 3).header.round == 4


def test_one_that_is_far_ahead_does_not_come_back():
    wire = Wire()
    box = arrivals(wire, deadline_s=1000.0)
    arrive(wire, "x", 3), arrive(wire, "y", 6)
    box.wait(PLACES, 3, lead=1)
    assert not wire.asked


def test_messages_of_rounds_too_far_away_are_noted():
    wire = Wire()
    box = arrivals(wire)
    arrive(wire, "x", 90)
    box.sort_in(300)
    arrive(wire, "x", 90)
    box.sort_in(3)
    assert box.refused_for_round == 2
    box.want(PLACES)
    assert box.refused_for_round == 0
