from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from parse_dfl.peers.authority import Reason
from parse_dfl.peers.round_sync import RoundWindow
from parse_dfl.peers.validation import MessageValidator, RateLimits
from tests.peers.trust import BRANCH, DAY_S, HEADER, SCHEMA, TENSORS, make_agent, message

ROUND = 5
WINDOW = RoundWindow(behind=2, ahead=3)
LIMITS = RateLimits(
    messages_per_second=10,
    burst=20,
    most_strikes=4,
    strikes_forgiven_per_second=0.5,
    ignore_s=8,
    most_ignore_s=30,
)


@pytest.fixture(scope="module")
def agents(tmp_path_factory):
    """acc-0 and acc-1 of one federation; the clock stands a day after they were certified."""
    folder = tmp_path_factory.mktemp("federation")
    return [make_agent(folder, name) for name in ("acc-0", "acc-1")]


@pytest.fixture(scope="module")
def now(agents):
    return agents[1].verified.valid_from + DAY_S


def make_validator(authority=None):
    validator = MessageValidator(
        federation="demo", name="acc-9", authority=authority, rounds=WINDOW, limits=LIMITS
    )
    validator.expect(BRANCH, SCHEMA)
    return validator


@pytest.fixture
def validator(agents, now):
    """One that was shown the certificate of acc-0."""
    authority = agents[0].authority()
    authority.check(agents[0].certificate, now)
    return make_validator(authority)


def test_a_good_message_is_accepted(validator, agents, now):
    result = validator.validate(message(agents[0]), round=ROUND, now=now, sender="acc-0")
    assert result.accepted
    assert result.header == HEADER
    assert torch.equal(result.tensors["theta"], TENSORS["theta"])
    assert validator.report(now) == {
        "accepted": {"acc-0": 1},
        "refused": {},
        "unverified": {},
        "ignored_s": {},
    }


def nan():
    return {"theta": torch.full((6,), torch.nan)}


def other_end(message):
    """The message with another last byte: signatures are random, so any fixed one may be right."""
    return message[:-1] + bytes([message[-1] ^ 1])


BAD = {
    "size": lambda own, _: message(own) + bytes(200_000),
    "framing": lambda own, _: b"random bytes",
    "version": lambda own, _: message(own)[:4] + b"\x02" + message(own)[5:],
    "federation": lambda own, _: message(own, federation="other"),
    "sender": lambda own, _: message(own, sender="acc-7"),
    "branch": lambda own, _: message(own, branch="gyro/backbone/0123abcd"),
    "round": lambda own, _: message(own, round=ROUND - 3),
    "schema": lambda own, _: message(own, schema="0" * 16),
    "uncertified": lambda own, other: message(other, sender="acc-1"),
    "signature": lambda own, _: other_end(message(own)),
    "dtype": lambda own, _: message(own, tensors={"theta": torch.zeros(6, dtype=torch.float64)}),
    "shape": lambda own, _: message(own, tensors={"theta": torch.zeros(2, 3)}),
    "values": lambda own, _: message(own, tensors=nan()),
}
VERIFIED = {"schema", "dtype", "shape", "values"}
"""Found out after the signature, so held against the sender."""


@pytest.mark.parametrize("reason", BAD)
def test_every_reason_is_found_and_counted(reason, validator, agents, now):
    result = validator.validate(BAD[reason](*agents), round=ROUND, now=now)
    assert (result.accepted, result.reason, result.tensors) == (False, Reason(reason), {})
    assert result.detail
    name = {"sender": "acc-7", "uncertified": "acc-1"}.get(reason, "acc-0")
    name = "(unreadable)" if reason in ("size", "framing", "version") else name
    report = validator.report(now)
    where, elsewhere = ("refused", "unverified")[:: 1 if reason in VERIFIED else -1]
    assert report[where] == {name: {reason: 1}}
    assert report[elsewhere] == {}


def test_another_kind_of_message(validator, agents, now):
    result = validator.validate(message(agents[0], kind="gossip"), round=ROUND, now=now)
    assert result.reason is Reason.BRANCH


@pytest.mark.parametrize(("ahead", "accepted"), [(-3, False), (-2, True), (3, True), (4, False)])
def test_the_window_of_rounds(validator, agents, now, ahead, accepted):
    result = validator.validate(message(agents[0], round=ROUND + ahead), round=ROUND, now=now)
    assert result.accepted is accepted


def test_unsigned_messages_are_refused_where_there_is_an_authority(validator, now):
    result = validator.validate(message(), round=ROUND, now=now)
    assert result.reason is Reason.UNCERTIFIED
    assert "unsigned" in result.detail


def test_an_insecure_federation_takes_signed_and_unsigned(agents, now):
    for sender in (message(), message(agents[0])):
        assert make_validator().validate(sender, round=ROUND, now=now).accepted


def test_a_certificate_that_expires_meanwhile(validator, agents, now):
    result = validator.validate(message(agents[0]), round=ROUND, now=now + 30 * DAY_S)
    assert result.reason is Reason.EXPIRED


@pytest.mark.parametrize("sender", ["acc-1", "acc-9"])
def test_a_message_under_another_agents_key_of_the_network(validator, agents, now, sender):
    result = validator.validate(message(agents[0]), round=ROUND, now=now, sender=sender)
    assert result.reason is Reason.SENDER


def test_nobody_speaks_under_ones_own_name(validator, agents, now):
    result = validator.validate(message(agents[0], sender="acc-9"), round=ROUND, now=now)
    assert result.reason is Reason.SENDER


def test_branches_come_and_go(validator, agents, now):
    validator.forget(BRANCH)
    assert validator.limit_bytes == 0
    assert validator.validate(message(agents[0]), round=ROUND, now=now).reason is Reason.SIZE
    validator.expect(BRANCH, SCHEMA)
    assert validator.validate(message(agents[0]), round=ROUND, now=now).accepted


def test_too_many_messages_at_once(validator, agents, now):
    verdicts = [validator.validate(message(agents[0]), round=ROUND, now=now) for _ in range(21)]
    assert [result.reason for result in verdicts] == [None] * 20 + [Reason.RATE]
    later = [
        validator.validate(message(agents[0]), round=ROUND, now=now + 0.2).reason for _ in range(3)
    ]
    assert later == [None, None, Reason.RATE]


def judge_bad(validator, agent, now, times=4):
    for _ in range(times):
        validator.validate(message(agent, tensors=nan()), round=ROUND, now=now)


def test_a_sender_that_keeps_on_is_ignored_for_longer_each_time(validator, agents, now):
    judge_bad(validator, agents[0], now)
    assert validator.ignored_s("acc-0", now) == pytest.approx(8)
    result = validator.validate(message(agents[0]), round=ROUND, now=now + 1)
    assert result.reason is Reason.IGNORED
    assert result.detail == "acc-0 is ignored for another 7 s"
    assert validator.report(now + 1)["ignored_s"]["acc-0"] == pytest.approx(7)
    assert validator.validate(message(agents[0]), round=ROUND, now=now + 9).accepted
    for passed, expected in [(30, 16), (60, 30), (100, 30)]:
        judge_bad(validator, agents[0], now + passed)
        assert validator.ignored_s("acc-0", now + passed) == pytest.approx(expected)


def test_one_that_behaves_again_begins_anew(validator, agents, now):
    judge_bad(validator, agents[0], now)
    judge_bad(validator, agents[0], now + 100)
    assert validator.ignored_s("acc-0", now + 100) == pytest.approx(8)


def test_strikes_fade(validator, agents, now):
    judge_bad(validator, agents[0], now, times=3)
    judge_bad(validator, agents[0], now + 6, times=3)
    assert not validator.ignored_s("acc-0", now + 6)


def test_nobody_can_have_another_ignored(validator, agents, now):
    """Bad signatures, foreign names and old messages are not held against whom they name."""
    forged = other_end(message(agents[0]))
    for bad in (forged, message(), message(agents[1]), message(agents[0], round=0)):
        for _ in range(30):
            assert not validator.validate(bad, round=ROUND, now=now).accepted
    assert validator.validate(message(agents[0]), round=ROUND, now=now).accepted


def test_accounts_are_bounded(monkeypatch, now):
    monkeypatch.setattr("parse_dfl.peers.validation.MOST_SENDERS", 3)
    validator = make_validator()
    for number in range(9):
        validator.validate(message(sender=f"acc-{number}"), round=ROUND, now=now)
        validator.validate(message(sender=f"gyro-{number}", federation="x"), round=ROUND, now=now)
    report = validator.report(now)
    assert report["accepted"] == {"acc-0": 1, "acc-1": 1, "acc-2": 1, "(others)": 6}
    assert report["unverified"]["(others)"] == {"federation": 6}


def test_a_clock_that_goes_back_gives_no_tokens(now):
    validator = make_validator()
    verdicts = [
        validator.validate(message(), round=ROUND, now=now - second).accepted
        for second in range(40)
    ]
    assert verdicts == [True] * 20 + [False] * 20


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_altered_messages_never_pass_a_signature(data, agents, now):
    authority = agents[0].authority()
    authority.check(agents[0].certificate, now)
    altered = bytearray(message(agents[0]))
    place = data.draw(st.integers(0, len(altered) - 1))
    altered[place] ^= data.draw(st.integers(1, 255))
    result = make_validator(authority).validate(bytes(altered), round=ROUND, now=now)
    assert not result.accepted


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=2000))
def test_whatever_arrives_gives_a_verdict(data):
    assert not make_validator().validate(data, round=ROUND, now=0.0).accepted
