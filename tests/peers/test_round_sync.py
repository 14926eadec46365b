"""Who fell behind goes ahead, who ran ahead alone comes back, and attackers move nobody."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parse_dfl.config import PeerConfig
from parse_dfl.peers.authority import Reason, Rejected
from parse_dfl.peers.round_sync import (
    NewerRounds,
    RoundPacer,
    RoundStats,
    RoundSync,
    RoundWindow,
    Stop,
    common_round,
    round_filter,
)
from parse_dfl.peers.validation import MessageValidator
from tests.peers.trust import BRANCH, HEADER, SCHEMA, message
from tests.small import federation

SECONDS = st.floats(0, 1000)


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_the_first_round_begins_at_once():
    assert RoundPacer(60.0, clock=Clock()).pause_s() == 0


def test_a_round_that_is_long_anyway_has_no_pause():
    clock = Clock()
    tempo = RoundPacer(5.0, clock=clock)
    tempo.exchanged(trained_s=7.0)
    assert tempo.pause_s() == 0
    RoundPacer(0.0, clock=clock).exchanged(trained_s=0.0)
    assert tempo.pause_s() == 0


def test_what_evaluation_and_a_checkpoint_took_is_no_pause_any_more():
    clock = Clock()
    tempo = RoundPacer(5.0, clock=clock)
    tempo.exchanged(trained_s=1.0)
    clock.now = 1.5
    assert tempo.pause_s() == 2.5
    clock.now = 9.0
    assert tempo.pause_s() == 0


@given(SECONDS, st.lists(st.tuples(SECONDS, SECONDS), min_size=2, max_size=5))
def test_agents_in_lockstep_never_wait_for_each_others_pause(least, agents):
    """Each has begun at a time of its own, and trains for a time of its own: the first exchange
    ends when the last is ready; from then on they are apart by their training at most."""
    trained = [training for _, training in agents]
    end = max(begin + training for begin, training in agents)
    for _ in range(3):
        ready = []
        for training in trained:
            clock = Clock()
            tempo = RoundPacer(least, clock=clock)
            clock.now = end
            tempo.exchanged(trained_s=training)
            ready.append(end + tempo.pause_s() + training)
        longest_wait = max(ready) - min(ready)
        assert longest_wait <= max(0.0, max(trained) - least) + 1e-6
        assert max(ready) - end >= least - 1e-6
        end = max(ready)


ROUNDS = st.integers(0, 10_000)


def traffic(*, apart: bool = True) -> RoundStats:
    refused, missing = (1, {"x"}) if apart else (0, set())
    return RoundStats(
        round=1,
        payload_bytes={},
        neighbours={},
        rounds={},
        lockstep_lead=1,
        refused_for_round=refused,
        missing=missing,
    )


class Agent:
    """A trainer that stands in a round, the rounds that it hears of, and what it notes."""

    def __init__(self, own: int, others: list[int], **values: object) -> None:
        self.trainer = federation(**{"rounds": 100, **values}).trainer
        self.trainer.skip_to(own)
        self.others, self.notes, self.now, self.asked = others, [], 0.0, 0
        self.lockstep = RoundSync(
            self.trainer,
            ask=self.ask,
            note=self.notes.append,
            window=4,
            pause_s=10.0,
            clock=lambda: self.now,
        )

    def ask(self) -> list[int]:
        self.asked += 1
        return self.others


@given(st.lists(ROUNDS, min_size=1, max_size=9))
def test_whoever_knows_of_the_same_rounds_goes_to_the_same(rounds):
    found = {common_round(own, rounds[:i] + rounds[i + 1 :]) for i, own in enumerate(rounds)}
    assert len(found) == 1
    assert found <= set(rounds)


@given(st.lists(ROUNDS, min_size=1, max_size=5), st.data())
def test_fewer_liars_than_honest_ones_cannot_move_the_honest_elsewhere(honest, data):
    attackers = data.draw(st.lists(ROUNDS, max_size=len(honest) - 1))
    assert min(honest) <= common_round(honest[0], [*honest[1:], *attackers]) <= max(honest)


def test_one_that_fell_behind_goes_ahead():
    agent = Agent(3, [30, 31, 3])
    agent.lockstep.keep(traffic())
    assert agent.trainer.round == 30
    assert agent.notes == ["goes from round 3 to 30, to the others"]


def test_one_that_ran_ahead_alone_returns():
    agent = Agent(90, [30, 31, 30])
    agent.lockstep.keep(traffic())
    assert agent.trainer.round == 31
    assert agent.notes == ["ran ahead alone: returns from round 90 to 31"]


def test_a_few_rounds_ahead_are_no_reason_to_go_back():
    agent = Agent(34, [30, 30, 30])
    agent.lockstep.keep(traffic())
    assert (agent.trainer.round, agent.notes) == (34, [])


def test_a_newcomer_only_goes_ahead():
    agent = Agent(90, [30, 31, 30])
    agent.lockstep.catch_up()
    assert agent.trainer.round == 90


def test_nobody_goes_beyond_the_last_round():
    agent = Agent(3, [500, 500], rounds=40)
    agent.lockstep.catch_up()
    assert agent.trainer.round == 40


def test_while_all_is_well_nobody_is_asked():
    agent = Agent(3, [30, 30])
    agent.lockstep.keep(traffic(apart=False))
    assert not agent.asked


def test_after_a_question_in_vain_there_is_a_pause():
    agent = Agent(30, [30, 30])
    for now in (0.0, 9.0):
        agent.now = now
        agent.lockstep.keep(traffic())
    assert agent.asked == 1
    agent.now = 10.0
    agent.lockstep.keep(traffic())
    assert agent.asked == 2


def test_no_change_of_modalities_is_taken_back():
    agent = Agent(90, [30, 31, 30], events=["60:a-0:+b"])
    agent.lockstep.keep(traffic())
    assert agent.trainer.round == 60


def test_no_stage_is_entered_twice():
    agent = Agent(90, [30, 31, 30], method="harmony")
    first, _ = agent.trainer.method.stage_bounds(100)[-1]
    agent.lockstep.keep(traffic())
    assert agent.trainer.round == first - 1 > 31


ROUNDS = st.integers(0, 2**53 - 1)


def taken(rounds, header, round):
    """Whether a message is taken, by one that takes it if it may."""
    try:
        rounds.check(header, round)
    except Rejected as refusal:
        return refusal.reason is not Reason.ROUND
    rounds.accepted(header)
    return True


def test_each_pace_has_its_own():
    assert round_filter(PeerConfig(window=7)) == RoundWindow(behind=7, ahead=7)
    assert isinstance(round_filter(PeerConfig(pace="asynchronous")), NewerRounds)


@given(ROUNDS, ROUNDS, st.integers(0, 10))
def test_in_lockstep_the_window_is_about_the_own_round(own, round, width):
    window = RoundWindow(behind=width, ahead=width)
    assert taken(window, replace(HEADER, round=round), own) == (abs(round - own) <= width)


@given(ROUNDS, ROUNDS, ROUNDS)
def test_at_ones_own_pace_the_own_round_does_not_matter(own, later, round):
    assert taken(NewerRounds(), replace(HEADER, round=round), own)
    assert taken(NewerRounds(), replace(HEADER, round=round), later)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 8)), max_size=40))
def test_nothing_old_is_taken_and_nothing_twice_whatever_is_replayed(sent):
    """``started_ms`` and round of messages in any order, each as often as an insider likes."""
    onward = NewerRounds()
    accepted = [
        pair
        for pair in sent
        if taken(onward, replace(HEADER, started_ms=pair[0], round=pair[1]), round=1)
    ]
    assert accepted == sorted(set(accepted))
    newest = [pair for number, pair in enumerate(sent) if pair > max(sent[:number], default=(-1,))]
    assert accepted == newest  # and nothing new is lost


@given(st.lists(st.tuples(st.sampled_from("xy"), st.sampled_from("ab"), st.integers(0, 5))))
def test_senders_and_branches_do_not_disturb_each_other(sent):
    together = NewerRounds()
    apart = {(sender, branch): NewerRounds() for sender in "xy" for branch in "ab"}
    for sender, branch, round in sent:
        header = replace(HEADER, sender=sender, branch=branch, round=round)
        assert taken(together, header, 1) == taken(apart[sender, branch], header, 1)


def test_one_that_starts_again_from_a_checkpoint_is_heard_at_once():
    onward = NewerRounds()
    assert taken(onward, replace(HEADER, started_ms=100, round=50), 1)
    assert taken(onward, replace(HEADER, started_ms=200, round=45), 1)
    assert not taken(onward, replace(HEADER, started_ms=100, round=51), 1)


@pytest.mark.parametrize("pace", ["synchronous", "asynchronous"])
def test_what_is_refused_for_another_reason_does_not_count(pace):
    validator = MessageValidator(
        federation="demo", name="acc-9", authority=None, rounds=round_filter(PeerConfig(pace=pace))
    )
    validator.expect(BRANCH, SCHEMA)
    assert not validator.validate(message(schema="0" * 16), round=5, now=0.0).accepted
    assert validator.validate(message(), round=5, now=0.0).accepted
    again = validator.validate(message(), round=5, now=0.0)
    assert again.accepted is (pace == "synchronous")


FOR_EVER_S = 1e12


def test_after_which_round():
    stop = Stop()
    assert not stop.asked
    stop.ask(5)
    assert stop.asked
    assert (stop.due(4), stop.due(5)) == (False, True)


def test_without_a_pause_nothing_is_waited_for():
    stop = Stop()
    assert not stop.due_within(0.0, done=3)
    stop.ask(4)
    assert not stop.due_within(0.0, done=3)
    assert stop.due_within(FOR_EVER_S, done=4)


def test_a_stop_asked_for_in_a_pause_ends_it():
    stop = Stop()
    asker = Thread(target=stop.ask)
    asker.start()
    assert stop.due_within(FOR_EVER_S, done=3)
    asker.join()


def test_one_for_a_later_round_does_not():
    stop = Stop()
    stop.ask(5)
    asker = Thread(target=stop.ask, args=(4,))
    asker.start()
    assert stop.due_within(FOR_EVER_S, done=4)
    asker.join()


def test_one_that_is_held_waits_until_it_is_told():
    stop = Stop()
    stop.hold()
    asker = Thread(target=stop.ask, args=(7,))
    asker.start()
    assert not stop.due_within(0.0, done=6)  # one more round is to be done
    asker.join()
    assert stop.due_within(0.0, done=7)


def test_a_signals_handler_may_ask_in_the_middle_of_a_pause():
    stop = Stop()
    before = signal.signal(signal.SIGUSR1, lambda *_: stop.ask())
    sender = Thread(target=os.kill, args=(os.getpid(), signal.SIGUSR1))
    sender.start()
    try:
        assert stop.due_within(FOR_EVER_S, done=0)
    finally:
        sender.join()
        signal.signal(signal.SIGUSR1, before)
