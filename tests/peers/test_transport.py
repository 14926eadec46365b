from __future__ import annotations

from threading import Condition

import pytest

from parse_dfl.peers.identity import Insecure
from parse_dfl.peers.transport import LinkSettings, Transport


@pytest.fixture
def transport():
    settings = LinkSettings(listen=["127.0.0.1:0"], connect=[], limit_bytes=1 << 10)
    session = Transport(settings, Insecure("a-0", "demo"))
    yield session
    session.close()


def answers(transport, key, *, count):
    """Asks, and waits for so many answers."""
    found, changed = {}, Condition()

    def take(answered, content):
        with changed:
            found[answered] = content
            changed.notify_all()

    transport.ask(key, take, timeout_s=10)
    with changed:
        assert changed.wait_for(lambda: len(found) >= count, 10)
    return found


def test_those_who_answer_one_question_to_all_are_told_apart(transport):
    for name in ("a-0", "b-0"):
        transport.answer(f"demo/status/{name}", lambda _, name=name: name.encode())
    found = answers(transport, "demo/status/*", count=2)
    assert found == {"demo/status/a-0": b"a-0", "demo/status/b-0": b"b-0"}


def test_an_answer_to_one_of_many_questions_is_under_that_question(transport):
    transport.answer("demo/again/a-0/**", lambda key: key.encode())
    found = answers(transport, "demo/again/a-0/b-0/branch/3", count=1)
    assert found == {"demo/again/a-0/b-0/branch/3": b"demo/again/a-0/b-0/branch/3"}
