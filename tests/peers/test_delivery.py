"""Tests."""

from __future__ import annotations

import time
from threading import Condition

import pytest
import torch

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import Branch
from parse_dfl.config import PeerConfig
from parse_dfl.peers.delivery import Inbox, Receiver, Sender, State, States
from parse_dfl.peers.identity import Insecure
from parse_dfl.peers.membership import Neighbours
from parse_dfl.peers.messages import Header, Schema, decode, encode
from parse_dfl.peers.round_sync import round_filter
from parse_dfl.peers.transport import Topics
from parse_dfl.peers.validation import MessageValidator

KEYS = Topics("demo")
SENT_BRANCH = Branch("a", "head", "12")
X, Y = (AgentSpec(name=name, modalities=("a",)) for name in "xy")
PLACE = Neighbours(
    branch=SENT_BRANCH, label="a", degree=2, receivers=(X, Y), senders=(X, Y), audible=("x", "y")
)


class ListeningWire:
    """A network on which some listen."""

    def __init__(self, listening=("x", "y")):
        self.listening, self.sent, self.reply = listening, [], None

    def answer(self, pattern, reply):
        self.reply = reply

    def send(self, key, payload):
        heard = key.split("/")[2] in self.listening
        if heard:
            self.sent.append((key, payload))
        return heard


def outbox(wire, *, resend_s=100.0):
    return Sender(wire, KEYS, Insecure("me", "demo"), kept_rounds=2, resend_s=resend_s)


def post(box, round=1, sent=None):
    tensors = sent or {"theta": torch.ones(3, 4)}
    box.post(PLACE, tensors, {}, round=round, samples=9)


def ask(wire, to, round):
    return wire.reply(KEYS.again(sender="me", to=to, branch=str(SENT_BRANCH), round=round))


def test_each_neighbour_gets_the_own_row_under_its_own_key():
    wire = ListeningWire()
    post(outbox(wire))
    assert [key for key, _ in wire.sent] == [f"demo/slices/{to}/me/a/head/12" for to in "xy"]
    message = decode(wire.sent[0][1], limit_bytes=10_000)
    assert (message.header.round, message.header.degree, message.header.samples) == (1, 2, 9)
    tensors = message.tensors(Schema.of({"theta": torch.ones(4)}))
    assert tensors["theta"].tolist() == [1.0] * 4
    assert wire.sent[0][1] == wire.sent[1][1]


def test_what_belongs_to_an_edge_goes_to_its_neighbour_only():
    wire = ListeningWire()
    post(outbox(wire), sent={"edge:projection": torch.tensor([[1.0], [2.0]])})
    schema = Schema.of({"edge:projection": torch.ones(1)})
    values = [
        decode(raw, limit_bytes=9999).tensors(schema)["edge:projection"].item()
        for _, raw in wire.sent
    ]
    assert values == [1.0, 2.0]


def test_what_nobody_heard_is_given_to_who_asks_and_what_is_on_its_way_is_not():
    wire = ListeningWire(listening=("x",))
    box = outbox(wire)
    post(box, round=4)
    assert ask(wire, "x", 4) is None
    message = ask(wire, "y", 4)
    assert message == wire.sent[0][1]
    assert ask(wire, "y", 4) is None  # it is on its way by now
    assert box.sent_bytes == 2 * len(message)


def test_what_was_sent_long_ago_is_sent_again():
    wire = ListeningWire()
    post(outbox(wire, resend_s=0.0), round=4)
    assert ask(wire, "x", 4) == wire.sent[0][1]


def test_a_later_message_answers_for_one_that_is_gone():
    wire = ListeningWire(listening=())
    box = outbox(wire)
    for round in (1, 2, 3):
        post(box, round)
    box.forget_before(3)
    assert decode(ask(wire, "x", 1), limit_bytes=9999).header.round == 2
    assert ask(wire, "x", 4) is None
    assert ask(wire, "z", 1) is None


@pytest.mark.parametrize("key", ["demo/again/me/x/a/head/12/one", "demo/again"])
def test_a_malformed_question_has_no_answer(key):
    wire = ListeningWire()
    outbox(wire)
    assert wire.reply(key) is None


BRANCH = "a/backbone/12"


def header(round, sender="x"):
    return Header(
        federation="demo", sender=sender, branch=BRANCH, label="a", round=round, degree=1,
        samples=1, schema="",
    )  # fmt: skip


def test_only_the_newest_messages_of_a_slot_are_kept():
    inbox = Inbox(Condition(), newest=2)
    key = KEYS.slice(to="me", sender="x", branch=BRANCH)
    for number in range(5):
        inbox.take(key, bytes([number]))
    inbox.take(KEYS.slice(to="me", sender="y", branch=BRANCH), b"other")
    assert inbox.drain() == [
        (("x", BRANCH), b"\3"), (("x", BRANCH), b"\4"), (("y", BRANCH), b"other"),
    ]  # fmt: skip
    assert inbox.drain() == []
    assert inbox.received_bytes == 10


def test_an_answer_is_a_message_of_whom_was_asked():
    inbox = Inbox(Condition(), newest=2)
    inbox.take(KEYS.again(sender="x", to="me", branch=BRANCH, round=7), b"seven")
    assert inbox.drain() == [(("x", BRANCH), b"seven")]
    assert inbox.was_answered(("x", BRANCH), 7)
    assert not inbox.was_answered(("x", BRANCH), 8)
    assert KEYS.question(KEYS.again(sender="x", to="me", branch=BRANCH, round=7)) == (
        "me", BRANCH, 7,
    )  # fmt: skip


def test_the_state_of_a_round_or_the_earliest_since():
    states = States(newest=3)
    for round in (4, 6, 7, 7):
        states.add(State(header(round), {}, arrived=round))
    assert [states.at("x", BRANCH, round).header.round for round in (4, 5, 7)] == [4, 6, 7]
    assert states.at("x", BRANCH, 8) is None
    assert states.newest("x", BRANCH).header.round == 7
    states.add(State(header(8), {}, arrived=8))
    assert states.at("x", BRANCH, 1).header.round == 6
    assert states.last_round("x") == 8
    states.keep([])
    assert states.newest("x", BRANCH) is None
    assert states.last_round("x") == 0


ARRIVALS_BRANCH = Branch("a", "head", "12")
TENSORS = {"theta": torch.ones(3)}
PLACES = [
    Neighbours(
        branch=ARRIVALS_BRANCH,
        label="a",
        degree=2,
        receivers=(X, Y),
        senders=(X, Y),
        audible=("x", "y"),
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
        federation="demo", sender=sender, branch=str(ARRIVALS_BRANCH), label="a", round=round,
        degree=1,
        samples=1, schema=Schema.of(TENSORS).digest,
    )  # fmt: skip
    return encode(header, TENSORS, Insecure(sender, "demo"))


def arrivals(wire, living=("x", "y"), deadline_s=0.05):
    settings = PeerConfig(deadline_s=deadline_s)
    validator = MessageValidator(
        federation="demo", name="me", authority=None, rounds=round_filter(settings)
    )
    validator.expect(str(ARRIVALS_BRANCH), Schema.of(TENSORS))
    made = Receiver(wire, Living(*living), validator, KEYS, "me", Condition(), settings)
    made.want(PLACES)
    return made


def arrive(wire, sender, round):
    wire.take(
        KEYS.slice(to="me", sender=sender, branch=str(ARRIVALS_BRANCH)), message(sender, round)
    )


def test_it_listens_to_the_wanted_slices_of_the_neighbours_only():
    wire = Wire()
    arrivals(wire)
    assert wire.keys == [f"demo/slices/me/{name}/a/head/12" for name in "xy"]


def test_when_all_is_there_nothing_is_waited_for():
    wire = Wire()
    box = arrivals(wire, deadline_s=1000.0)
    arrive(wire, "x", 3), arrive(wire, "y", 3)
    box.wait(PLACES, 3, lead=1)
    assert box.states.at("x", str(ARRIVALS_BRANCH), 3).arrived == 3
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
    key = KEYS.again(sender="y", to="me", branch=str(ARRIVALS_BRANCH), round=3)
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
    key = KEYS.again(sender="y", to="me", branch=str(ARRIVALS_BRANCH), round=3)
    wire.answers[key] = message("y", 3)
    box.wait(PLACES, 3, lead=1)
    assert wire.asked == [key]


def test_a_later_state_is_taken_only_if_the_sender_says_so():
    wire = Wire()
    box = arrivals(wire, deadline_s=1000.0)
    arrive(wire, "x", 3), arrive(wire, "y", 4)
    key = KEYS.again(sender="y", to="me", branch=str(ARRIVALS_BRANCH), round=3)
    wire.answers[key] = message("y", 4)
    box.wait(PLACES, 3, lead=1)
    assert wire.asked == [key]
    assert box.states.at("y", str(ARRIVALS_BRANCH), 3).header.round == 4


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
