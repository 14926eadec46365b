"""Tasks side by side: all are done, at the same time, and what goes wrong is raised."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import threading

import pytest
import torch

from parse_dfl.engine import workers
from parse_dfl.engine.workers import Workers, keep_freed_memory

PATIENCE_S = 30


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 40])
def test_every_task_is_done_once(threads, count):
    done = []
    Workers(threads).run(lambda n=n: done.append(n) for n in range(count))
    assert sorted(done) == list(range(count))


def test_one_worker_does_all_in_turn_and_here():
    where = []
    Workers().run([lambda: where.append(threading.get_ident())] * 3)
    assert where == [threading.get_ident()] * 3


def test_tasks_run_at_the_same_time_and_elsewhere():
    meeting = threading.Barrier(2, timeout=PATIENCE_S)  # one alone would wait in vain
    where = set()

    def meet():
        where.add(threading.get_ident())
        meeting.wait()

    Workers(2).run([meet, meet])
    assert len(where) == 2
    assert threading.get_ident() not in where


def test_tasks_are_asked_for_only_a_few_ahead_of_those_that_are_done():
    done, ahead = [], []

    def tasks():
        for number in range(50):
            ahead.append(number - len(done))
            yield lambda: done.append(0)

    Workers(2).run(tasks())
    assert len(done) == 50
    assert max(ahead) <= 3


@pytest.mark.parametrize("threads", [1, 2])
def test_what_a_task_raises_is_raised_after_the_others_ended(threads):
    ended = []

    def fail():
        raise ValueError("task 7")

    with pytest.raises(ValueError, match="task 7"):
        Workers(threads).run([lambda: ended.append(0), fail])
    assert ended == [0]
    Workers(threads).run([lambda: ended.append(1)])
    assert ended == [0, 1]


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_process_has_workers_of_its_own():
    Workers(2).run([lambda: None] * 4)
    child = multiprocessing.get_context("fork").Process(target=_work_in_child)
    child.start()
    child.join(PATIENCE_S)
    assert child.exitcode == 0


def _work_in_child():
    done = []
    Workers(2).run([lambda: done.append(0)] * 4)
    os._exit(0 if len(done) == 4 else 1)


@pytest.mark.usefixtures("two_torch_threads")
def test_workers_and_who_waits_for_them_use_one_torch_thread_each():
    seen, workers = [], Workers(2)
    with workers.alone():
        workers.run([lambda: seen.append(torch.get_num_threads())] * 4)
        assert torch.get_num_threads() == 1
    assert seen == [1] * 4
    assert torch.get_num_threads() == 2
    with Workers().alone():
        assert torch.get_num_threads() == 2
    with pytest.raises(KeyError), workers.alone():
        raise KeyError
    assert torch.get_num_threads() == 2


class Library:
    """A C library that notes what it is told."""

    def __init__(self, answer=1):
        self.told = {}
        self.answer = answer

    def mallopt(self, option, value):
        self.told[option] = value
        return self.answer


@pytest.fixture(autouse=True)
def _ask_anew(monkeypatch):
    for name in workers.ASKED_OTHERWISE:
        monkeypatch.delenv(name, raising=False)
    keep_freed_memory.cache_clear()
    yield
    keep_freed_memory.cache_clear()


def test_both_thresholds_are_told_once(monkeypatch):
    library = Library()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    assert keep_freed_memory()
    assert library.told == {-1: 256 << 20, -3: 32 << 20}
    library.told.clear()
    assert keep_freed_memory()
    assert not library.told


@pytest.mark.parametrize("name", workers.ASKED_OTHERWISE)
def test_what_the_environment_says_stands(monkeypatch, name):
    library = Library()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    monkeypatch.setenv(name, "1")
    assert not keep_freed_memory()
    assert not library.told


@pytest.mark.parametrize("library", [object(), Library(answer=0)])
def test_other_c_libraries_are_left_alone(monkeypatch, library):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    assert not keep_freed_memory()


def test_systems_without_such_a_library_are_left_alone(monkeypatch):
    def refuse(name):
        raise TypeError("bad argument type for built-in operation")

    monkeypatch.setattr(ctypes, "CDLL", refuse)
    assert not keep_freed_memory()
