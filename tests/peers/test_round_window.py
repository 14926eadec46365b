from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parse_dfl.config import PeerConfig
from parse_dfl.peers.rejection import Reason, Refusal
from parse_dfl.peers.round_window import Onward, Window, rounds_for
from parse_dfl.peers.validation import MessageValidator
from tests.peers.trust import BRANCH, HEADER, SCHEMA, message

ROUNDS = st.integers(0, 2**53 - 1)


def taken(rounds, header, own):
    """Whether a message is taken, by one that takes it if it may."""
    try:
        rounds.check(header, own)
    except Refusal as refusal:
        return refusal.reason is not Reason.ROUND
    rounds.accepted(header)
    return True


def test_each_pace_has_its_own():
    assert rounds_for(PeerConfig(window=7)) == Window(behind=7, ahead=7)
    assert isinstance(rounds_for(PeerConfig(pace="asynchronous")), Onward)


@given(ROUNDS, ROUNDS, st.integers(0, 10))
def test_in_lockstep_the_window_is_about_the_own_round(own, round, width):
    window = Window(behind=width, ahead=width)
    assert taken(window, replace(HEADER, round=round), own) == (abs(round - own) <= width)


@given(ROUNDS, ROUNDS, ROUNDS)
def test_at_ones_own_pace_the_own_round_does_not_matter(own, later, round):
    assert taken(Onward(), replace(HEADER, round=round), own)
    assert taken(Onward(), replace(HEADER, round=round), later)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 8)), max_size=40))
def test_nothing_old_is_taken_and_nothing_twice_whatever_is_replayed(sent):
    """``born`` and round of messages in any order, each as often as an insider likes."""
    onward = Onward()
    accepted = [
        pair for pair in sent if taken(onward, replace(HEADER, born=pair[0], round=pair[1]), own=1)
    ]
    assert accepted == sorted(set(accepted))
    newest = [pair for number, pair in enumerate(sent) if pair > max(sent[:number], default=(-1,))]
    assert accepted == newest  # and nothing new is lost


@given(st.lists(st.tuples(st.sampled_from("xy"), st.sampled_from("ab"), st.integers(0, 5))))
def test_senders_and_branches_do_not_disturb_each_other(sent):
    together = Onward()
    apart = {(sender, branch): Onward() for sender in "xy" for branch in "ab"}
    for sender, branch, round in sent:
        header = replace(HEADER, sender=sender, branch=branch, round=round)
        assert taken(together, header, 1) == taken(apart[sender, branch], header, 1)


def test_one_that_starts_again_from_a_checkpoint_is_heard_at_once():
    onward = Onward()
    assert taken(onward, replace(HEADER, born=100, round=50), 1)
    assert taken(onward, replace(HEADER, born=200, round=45), 1)
    assert not taken(onward, replace(HEADER, born=100, round=51), 1)


@pytest.mark.parametrize("pace", ["synchronous", "asynchronous"])
def test_what_is_refused_for_another_reason_does_not_count(pace):
    validator = MessageValidator(
        federation="demo", own="acc-9", authority=None, rounds=rounds_for(PeerConfig(pace=pace))
    )
    validator.expect(BRANCH, SCHEMA)
    assert not validator.judge(message(schema="0" * 16), round=5, now=0.0).accepted
    assert validator.judge(message(), round=5, now=0.0).accepted
    again = validator.judge(message(), round=5, now=0.0)
    assert again.accepted is (pace == "synchronous")
