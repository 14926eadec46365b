from __future__ import annotations

from dataclasses import replace
from threading import Condition

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parse_dfl.branches import Branch
from parse_dfl.config import OverlayConfig
from parse_dfl.methods.registry import build_method
from parse_dfl.peers.announcement import PeerInfo, apart
from parse_dfl.peers.exchange import End, local_mixing
from parse_dfl.peers.identity import Insecure
from parse_dfl.peers.membership import Membership, NeighbourFinder
from parse_dfl.peers.transport import Topics

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
    text = info.to_string(Insecure(info.name, "demo"))
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


def test_the_later_announcement_holds_whatever_comes_first(wire, membership):
    later = replace(OTHER, modalities=("b",), created_ns=6)
    for order in ((OTHER, later), (later, OTHER)):
        for info in order:
            show(wire, info)
        assert membership.view()["other"] == later
        for info in order:
            show(wire, info, alive=False)


def test_nobody_is_announced_by_another_nor_under_what_it_does_not_own(wire, membership):
    show(wire, OTHER, name="third")
    text = OTHER.to_string(Insecure("other", "demo"))
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


STAGE = build_method("parse").stages[0]


def info(name, modalities, *, seed=0, signature="s"):
    branches = [Branch(m, "backbone", signature) for m in modalities]
    branches.append(Branch("any", "redundant", signature))
    return PeerInfo(
        name=name,
        seed=seed,
        modalities=tuple(modalities),
        samples=8,
        branches=tuple(branches),
        created_ns=0,
    )


def view(*names):
    """Agents called after what they own: ``ab3`` owns a and b."""
    return {name: info(name, [letter for letter in name if letter.isalpha()]) for name in names}


def found(living, own, topology="ring", round=1, absent=frozenset()):
    places = NeighbourFinder(OverlayConfig(topology=topology)).find(
        living, own, STAGE, round, set(absent)
    )
    return {place.branch.label: place for place in places}


LIVING = view("a1", "a2", "a3", "b1", "b2", "ab1", "ab2")


@pytest.mark.parametrize("topology", ["ring", "full", "random-matching", "one-peer-exponential"])
@pytest.mark.parametrize("round", [1, 2, 5])
def test_peers_of_equal_views_agree(topology, round):
    for own in LIVING:
        for label, place in found(LIVING, own, topology, round).items():
            for other in place.receivers:
                there = found(LIVING, other.name, topology, round)[label]
                assert own in [agent.name for agent in there.senders]


def test_a_peer_that_vanishes_changes_the_overlays_of_its_branches_only():
    without = {name: each for name, each in LIVING.items() if name != "a2"}
    for own in without:
        before, after = found(LIVING, own), found(without, own)
        assert before["b/backbone"] == after["b/backbone"] if "b" in own else True
        assert "a2" not in str(after)


def test_the_absent_keep_their_edges_and_send_nothing():
    whole, thinned = found(LIVING, "a1"), found(LIVING, "a1", absent={"a2", "ab1"})
    for label, place in thinned.items():
        assert place.degree == whole[label].degree
        assert not {agent.name for agent in place.senders} & {"a2", "ab1"}


def test_only_time_varying_overlays_listen_to_who_sends_in_other_rounds():
    place = found(LIVING, "a1", "random-matching")["a/backbone"]
    assert set(place.audible) == {"a2", "a3", "ab1", "ab2"}
    place = found(LIVING, "a1")["a/backbone"]
    assert set(place.audible) == {agent.name for agent in place.senders}


@given(st.sets(st.sampled_from(sorted(LIVING))), st.sampled_from(["ring", "full", "exponential"]))
def test_where_views_differ_rows_sum_to_one(seen, topology):
    """Each knows other living ones; what arrives is what both ends expect."""
    mine = {name: LIVING[name] for name in seen | {"a1"}}
    for label, place in found(mine, "a1", topology).items():
        others = []
        for agent in place.senders:
            theirs = found(LIVING, agent.name, topology)[label]
            if "a1" in [receiver.name for receiver in theirs.receivers]:
                others.append(End(degree=theirs.degree, samples=8))
        row = local_mixing(End(degree=place.degree, samples=8), others).dense()[0]
        assert row.sum() == pytest.approx(1)
        assert np.all(row >= 0)


def test_who_can_never_exchange_is_named():
    living = view("a1", "a2") | {
        "far": info("far", ["a"], seed=1),
        "odd": info("odd", ["a"], signature="t"),
    }
    assert apart(living, "a1") == {
        "far": "has seed 1, this agent 0: they will not exchange anything",
        "odd": "has another architecture of a/backbone, any/redundant: they will not exchange it",
    }
