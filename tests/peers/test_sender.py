from __future__ import annotations

import pytest
import torch

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import Branch
from parse_dfl.peers.identity import Insecure
from parse_dfl.peers.membership import Neighbours
from parse_dfl.peers.message_schema import Schema
from parse_dfl.peers.messages import decode
from parse_dfl.peers.sender import Sender
from parse_dfl.peers.topics import Topics

KEYS = Topics("demo")
BRANCH = Branch("a", "head", "12")
X, Y = (AgentSpec(name=name, modalities=("a",)) for name in "xy")
PLACE = Neighbours(
    branch=BRANCH, label="a", degree=2, receivers=(X, Y), senders=(X, Y), audible=("x", "y")
)


class Wire:
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
    return wire.reply(KEYS.again(sender="me", to=to, branch=str(BRANCH), round=round))


def test_each_neighbour_gets_the_own_row_under_its_own_key():
    wire = Wire()
    post(outbox(wire))
    assert [key for key, _ in wire.sent] == [f"demo/slices/{to}/me/a/head/12" for to in "xy"]
    message = decode(wire.sent[0][1], limit_bytes=10_000)
    assert (message.header.round, message.header.degree, message.header.samples) == (1, 2, 9)
    tensors = message.tensors(Schema.of({"theta": torch.ones(4)}))
    assert tensors["theta"].tolist() == [1.0] * 4
    assert wire.sent[0][1] == wire.sent[1][1]


def test_what_belongs_to_an_edge_goes_to_its_neighbour_only():
    wire = Wire()
    post(outbox(wire), sent={"edge:projection": torch.tensor([[1.0], [2.0]])})
    schema = Schema.of({"edge:projection": torch.ones(1)})
    values = [
        decode(raw, limit_bytes=9999).tensors(schema)["edge:projection"].item()
        for _, raw in wire.sent
    ]
    assert values == [1.0, 2.0]


def test_what_nobody_heard_is_given_to_who_asks_and_what_is_on_its_way_is_not():
    wire = Wire(listening=("x",))
    box = outbox(wire)
    post(box, round=4)
    assert ask(wire, "x", 4) is None
    message = ask(wire, "y", 4)
    assert message == wire.sent[0][1]
    assert ask(wire, "y", 4) is None  # it is on its way by now
    assert box.sent_bytes == 2 * len(message)


def test_what_was_sent_long_ago_is_sent_again():
    wire = Wire()
    post(outbox(wire, resend_s=0.0), round=4)
    assert ask(wire, "x", 4) == wire.sent[0][1]


def test_a_later_message_answers_for_one_that_is_gone():
    wire = Wire(listening=())
    box = outbox(wire)
    for round in (1, 2, 3):
        post(box, round)
    box.forget_before(3)
    assert decode(ask(wire, "x", 1), limit_bytes=9999).header.round == 2
    assert ask(wire, "x", 4) is None
    assert ask(wire, "z", 1) is None


@pytest.mark.parametrize("key", ["demo/again/me/x/a/head/12/one", "demo/again"])
def test_a_malformed_question_has_no_answer(key):
    wire = Wire()
    outbox(wire)
    assert wire.reply(key) is None
