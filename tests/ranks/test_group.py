"""What ranks say to each other, and what each hears when another one is lost."""

from __future__ import annotations

import os
import re
import signal
from datetime import timedelta
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from parse_dfl.errors import ConfigError, RankError
from parse_dfl.ranks import group as module
from parse_dfl.ranks.group import ALONE, FAILURE_KEY, Ranks
from tests.ranks.rank_pool import together

HOST = r"\(\S+\)"


def failure(call):
    """The error of a call, and whether its process is the one that tells it; None if it had
    none."""
    try:
        call()
    except ConfigError as error:
        return str(error), None
    except RankError as error:
        return str(error), error.first
    return None


def raise_on(ranks, own):
    """Enter and leave :meth:`Ranks.raise_together`, raising what is to be raised on this rank."""
    with ranks.raise_together():
        if ranks.rank in own:
            raise own[ranks.rank]


def speaking(ranks):
    """All that three ranks in good health say to each other, long words in pieces."""
    module.PIECE_BYTES = 4
    return {
        "any": [ranks.any(False), ranks.any(ranks.rank == 2)],
        "tell": ranks.broadcast(["longer than a piece", ranks.rank]),
        "gather": ranks.gather({"rank": ranks.rank}),
        "same": failure(lambda: ranks.check_same("equal")),
        "other": failure(lambda: ranks.check_same("equal" if ranks.rank != 1 else "other")),
        "fine": failure(lambda: raise_on(ranks, {})),
        "trouble": failure(lambda: raise_on(ranks, {1: ConfigError("no file x")})),
    }


def test_ranks_agree_and_tell_each_other_what_keeps_them_from_it(tmp_path):
    found = together(3, speaking, tmp_path)
    assert [each["any"] for each in found] == [[False, True]] * 3
    assert [each["tell"] for each in found] == [["longer than a piece", 0]] * 3
    assert [each["gather"] for each in found] == [[{"rank": rank} for rank in range(3)], [], []]
    assert [each["same"] for each in found] == [each["fine"] for each in found] == [None] * 3
    other = (
        "rank 1 of 3 has another experiment than rank 0: its settings, its data or its version "
        "of the program differ"
    )
    assert [each["other"] for each in found] == [(other, True), (other, False), (other, False)]
    told = "rank 1 of 3: no file x"
    trouble = [(told, True), ("no file x", None), (told, False)]
    assert [each["trouble"] for each in found] == trouble


def test_one_process_alone_agrees_with_itself():
    ALONE.check_same("x")
    assert ALONE.gather(1) == [1]
    assert ALONE.broadcast(2) == 2
    assert ALONE.any(True)
    ALONE.exchange({}, {})
    with pytest.raises(ConfigError, match="own"):
        raise_on(ALONE, {0: ConfigError("own")})


def test_a_lost_rank_is_not_asked_to_agree():
    with pytest.raises(RankError, match="lost"):
        raise_on(Ranks(0, 2), {0: RankError("lost")})


def test_ranks_that_do_not_come_are_named_once():
    store = dist.HashStore()
    words = rf"rank 1 of 3 {HOST} waited 0.1 s for rank 0, 2, which did not come"
    for rank, is_first in ((1, True), (0, False)):
        with pytest.raises(RankError, match=words) as caught:
            Ranks.join(store, rank, 3, timeout_s=0.1)
        assert caught.value.first is is_first


def test_nobody_at_the_place_where_ranks_meet(monkeypatch):
    def nobody(*args, **kwargs):
        raise dist.DistNetworkError("[socket.cpp:1] no such host. This is torch's own")

    monkeypatch.setattr(module, "rendezvous", nobody)
    for name, value in {"RANK": "1", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    for name in ("MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "0")
    words = rf"rank 1 of 2 {HOST} lost the place where all ranks meet: no such host$"
    with pytest.raises(RankError, match=words):
        module.launched_ranks.__wrapped__()


def calls(ranks, other):
    """Everything that reaches out to another rank, by name."""
    mine, theirs = torch.zeros(1, dtype=torch.uint8), torch.zeros(1, dtype=torch.uint8)
    return {
        "exchange": lambda: ranks.exchange({other: mine}, {other: theirs}),
        "receive": lambda: ranks.receive(other),
        "send": lambda: ranks.send(b"x", to=other),
        "any": lambda: ranks.any(True),
        "tell": lambda: ranks.broadcast(None),
        "gather": lambda: [ranks.gather(None), ranks.receive(other)],
    }


def bereaved(ranks, killed, folder):
    """What each call of the rank that is left ends with, when nothing was said before."""
    joined = dist.FileStore(str(folder / "joined"), 2)
    if ranks.rank == killed:
        joined.wait(["other"])  # a rank may have joined before the other one has
        os.kill(os.getpid(), signal.SIGKILL)
    joined.set("other", "")
    found = {}
    for number, name in enumerate(calls(ranks, killed)):
        store = dist.FileStore(str(folder / f"words-{number}"), 1)
        fresh = Ranks(ranks.rank, ranks.size, store)
        found[name] = failure(calls(fresh, killed)[name])
    return found


@pytest.mark.parametrize("killed", [0, 1])
def test_whoever_misses_a_killed_rank_says_so(tmp_path, killed):
    found = together(2, bereaved, tmp_path, killed, tmp_path)
    assert found[killed] is None
    unsure = ("any", "tell") if killed else ("any",)
    for name, (text, is_first) in found[1 - killed].items():
        whom = "another rank" if name in unsure else f"rank {killed}"
        assert re.match(rf"rank {1 - killed} of 2 {HOST} lost {whom}: \S", text)
        assert is_first


def left_waiting(ranks, folder):
    """The first rank waits for the second one's word, which waits until the first has given up."""
    store = dist.FileStore(str(folder / "over"), 2)
    if ranks.is_main:
        found = failure(lambda: ranks.receive(1))
        store.set("given up", "")
        return found
    store.wait(["given up"], timedelta(minutes=1))
    return failure(lambda: ranks.send(b"late", to=0))


def test_a_silent_rank_is_given_up(tmp_path):
    (text, is_first), (heard, is_own) = together(2, left_waiting, tmp_path, tmp_path, timeout_s=1)
    assert re.match(rf"rank 0 of 2 {HOST} lost rank 1: Timed out waiting 1000ms", text)
    assert is_first
    assert heard == text
    assert not is_own


def parted(ranks):
    """The second rank ends by an error of its own; the first misses it."""
    if ranks.is_main:
        return failure(lambda: ranks.any(False))
    with ranks.report_failure():
        raise ConfigError("of no use")


def test_a_rank_that_ends_leaves_its_reason(tmp_path):
    first, second = together(2, parted, tmp_path)
    assert first == ("rank 1 of 2 ended: of no use", False)
    assert isinstance(second, ConfigError)


def test_an_end_without_a_word_is_told_by_its_name():
    store = dist.HashStore()
    with pytest.raises(KeyboardInterrupt), Ranks(0, 2, store).report_failure():
        raise KeyboardInterrupt
    assert store.get(FAILURE_KEY) == b"rank 0 of 2 ended: KeyboardInterrupt"


def threads():
    """The names of this process's threads that torch and Gloo have started to communicate."""
    names = [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]
    return sorted(name for name in names if "gloo" in name)


def leaving(ranks):
    """The threads before and after a rank has left that had exchanged rows and words."""
    other = 1 - ranks.rank
    ranks.exchange({other: torch.ones(4)}, {other: torch.zeros(4)})
    ranks.broadcast("word")
    before = threads()
    ranks.leave()
    return before, threads()


@pytest.mark.skipif(
    not Path("/proc/self/task").exists(), reason="needs Linux: it looks threads up in /proc"
)
def test_who_leaves_leaves_no_thread_that_could_outlive_the_interpreter(tmp_path):
    for before, after in together(2, leaving, tmp_path):
        assert before
        assert after == []
