from __future__ import annotations

from dataclasses import replace
from threading import Condition

import pytest

from parse_dfl.branches import Branch
from parse_dfl.peers.announcement import PeerInfo, write_info
from parse_dfl.peers.identity import Insecure
from parse_dfl.peers.membership import Membership
from parse_dfl.peers.topics import Topics

KEYS = Topics("demo")
ME = PeerInfo(name="me", seed=0, modalities=("a",), samples=4, branches=(), created_ns=0)
OTHER = PeerInfo(
    name="other", seed=0, modalities=("a", "b"), samples=4,
    branches=(Branch("a", "backbone", "s"),), created_ns=5,
)  # fmt: skip


class Wire:
    """A network of which the test says what is seen on it."""

    def __init__(self):
        self.keys, self.seen = [], None

    def announce(self, keys):
        self.keys = list(keys)

    def living(self, pattern, *, timeout_s):
        return set()

    def watch(self, pattern, seen):
        self.seen = seen


@pytest.fixture
def wire():
    return Wire()


@pytest.fixture
def membership(wire):
    membership = Membership(wire, KEYS, Insecure("me", "demo"), None, Condition())
    membership.join(ME)
    return membership


def tokens(info, name=None):
    text = write_info(info, Insecure(info.name, "demo"))
    return [KEYS.alive(modality, name or info.name, text) for modality in info.modalities]


def show(wire, info, alive=True, **options):
    for key in tokens(info, **options):
        wire.seen(key, alive)


def test_an_agent_is_there_while_any_of_its_tokens_is(wire, membership):
    assert set(membership.view()) == {"me"}
    before = membership.version
    show(wire, OTHER)
    assert membership.view()["other"] == OTHER
    assert membership.version > before
    first, second = tokens(OTHER)
    wire.seen(first, False)
    assert "other" in membership.view()
    wire.seen(second, False)
    assert set(membership.view()) == {"me"}


def test_the_later_card_holds_whatever_comes_first(wire, membership):
    later = replace(OTHER, modalities=("b",), created_ns=6)
    for order in ((OTHER, later), (later, OTHER)):
        for info in order:
            show(wire, info)
        assert membership.view()["other"] == later
        for info in order:
            show(wire, info, alive=False)


def test_nobody_is_announced_by_another_nor_under_what_it_does_not_own(wire, membership):
    show(wire, OTHER, name="third")
    text = write_info(OTHER, Insecure("other", "demo"))
    wire.seen(KEYS.alive("c", "other", text), True)
    wire.seen(KEYS.alive("a", "other", "rubbish"), True)
    assert set(membership.view()) == {"me"}
    assert membership.refused == 4


def test_what_others_say_of_this_agent_does_not_count(wire, membership):
    show(wire, replace(OTHER, name="me", created_ns=2**62))
    assert membership.view()["me"].modalities == ("a",)


def test_a_change_is_announced_and_leaving_too(wire, membership):
    assert [key.split("/")[:3] for key in wire.keys] == [["demo", "a", "me"]]
    membership.announce(replace(ME, modalities=("a", "b")))
    assert [key.split("/")[1] for key in wire.keys] == ["a", "b"]
    assert membership.view()["me"].modalities == ("a", "b")
    membership.leave()
    assert wire.keys == []


def test_waiting_ends_when_it_is_so_or_the_time_is_over(wire, membership):
    assert not membership.wait(lambda view: len(view) > 1, timeout_s=0.01)
    show(wire, OTHER)
    assert membership.wait(lambda view: len(view) > 1, timeout_s=0.01)
