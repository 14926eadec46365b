from __future__ import annotations

from threading import Condition

from parse_dfl.peer.inbox import Inbox, State, States
from parse_dfl.peer.keys import Keys
from parse_dfl.peer.wire import Header

KEYS = Keys("demo")
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
