from __future__ import annotations

from types import SimpleNamespace

from parse_dfl.peers.identity import Insecure, unseal
from parse_dfl.peers.round_sync import RoundStats, RoundWindow
from parse_dfl.peers.status import ABOUT, StatusPublisher, rounds_of
from parse_dfl.peers.validation import MessageValidator
from tests.small import federation

BYTES = SimpleNamespace(
    outbox=SimpleNamespace(sent_bytes=120), arrivals=SimpleNamespace(received_bytes=80)
)
TRAFFIC = RoundStats(
    round=0, payload_bytes={}, neighbours={"a/head": ["a-1", "a-2"]}, rounds={}, lockstep_lead=1,
    staleness={"a-1": 2}, missing={"a-2"},
)  # fmt: skip


class Heard:
    def __init__(self):
        self.reports = []

    def round(self, report):
        self.reports.append(report)


def telling():
    """Of an agent that has refused one message."""
    validator = MessageValidator(
        federation="demo", name="a-0", authority=None, rounds=RoundWindow(behind=1, ahead=1)
    )
    validator.validate(b"rubbish", round=1, now=0.0, sender="a-2")
    heard = Heard()
    identity = Insecure("a-0", "demo")
    return StatusPublisher(
        federation(agents="a=1", rounds=9).trainer,
        BYTES,
        validator,
        identity,
        heard,
        lambda: {"a-0"},
    ), heard


def told(telling):
    """What it answers to one who asks."""
    sealed = telling.answer("demo/status/a-0")
    return unseal(ABOUT, sealed, federation="demo", authority=None, now=0.0)


def test_before_the_first_round_it_tells_who_it_is():
    own, heard = telling()
    own.begin()
    status = told(own)
    assert (status["name"], status["round"], status["rounds"]) == ("a-0", 0, 9)
    assert (status["modalities"], status["neighbours"], status["accuracy"]) == (["a"], {}, None)
    assert status["living"] == ["a-0"]
    assert not heard.reports


def test_a_round_is_told_to_the_reporter_and_to_whoever_asks():
    own, heard = telling()
    own.round(TRAFFIC, {"accuracy": 0.5}, seconds=1.5)
    (report,) = heard.reports
    assert (report.seconds, report.sent_bytes, report.received_bytes) == (1.5, 120, 80)
    assert report.refused == 1
    status = told(own)
    assert status["neighbours"] == {"a/head": ["a-1", "a-2"]}
    assert (status["staleness"], status["missing"]) == ({"a-1": 2}, ["a-2"])
    assert (status["sent_bytes"], status["received_bytes"]) == (120, 80)


def test_an_accuracy_is_told_until_there_is_a_later_one():
    own, heard = telling()
    own.round(TRAFFIC, {"accuracy": 0.5}, seconds=1.0)
    own.round(TRAFFIC, None, seconds=1.0)
    assert told(own)["accuracy"] == 0.5
    assert [report.scores for report in heard.reports] == [{"accuracy": 0.5}, None]


def test_nobody_follows_those_that_have_diverged():
    statuses = {
        "a-0": {"round": 3, "diverged": False},
        "a-1": {"round": 9, "diverged": True},
        "a-2": {"round": 4},
        "a-3": {"round": 8, "diverged": False},
    }
    assert rounds_of(statuses) == [3, 4, 8]


def test_a_status_says_whether_the_agent_has_diverged():
    own, _ = telling()
    own.begin()
    assert told(own)["diverged"] is False
    own.round(TRAFFIC, None, seconds=1.0, diverged=True)
    assert told(own)["diverged"] is True
