from __future__ import annotations

import math
import multiprocessing
import os
import threading

import pytest
import torch

from parse_dfl.engine import agent_stack
from parse_dfl.engine.local_training import (
    Workers,
    largest_divisor,
    scheduled_lr,
    tie_gradients,
)
from tests.small import federation, rows_of, run_rounds


def test_the_cosine_falls_from_the_rate_towards_zero_in_each_stage():
    rates = [scheduled_lr(0.2, "cosine", round, 11, 20) for round in range(11, 21)]
    assert rates[0] == 0.2
    assert rates == sorted(rates, reverse=True)
    assert rates[5] == pytest.approx(0.1)
    assert rates[-1] == pytest.approx(0.1 * (1 + math.cos(0.9 * math.pi)))
    assert scheduled_lr(0.2, "constant", 20, 11, 20) == 0.2


def test_steps_are_compiled_in_equal_runs():
    assert [largest_divisor(steps, 4) for steps in (1, 2, 3, 4, 6, 7, 8)] == [1, 2, 3, 4, 3, 1, 4]


@pytest.mark.parametrize("method", ["parse", "harmony", "oracle"])
def test_the_parts_that_rows_are_trained_in_do_not_matter(method, monkeypatch):
    settings = {"agents": "a=3,b=2,a+b=5", "sizes": (12, 7, 20)}
    whole = rows_of(run_rounds(federation(method, **settings), 4))
    monkeypatch.setattr(agent_stack, "PART_BYTES", 25_000)
    simulator = federation(method, **settings)
    assert [len(stack.parts) for stack in simulator.layout.stacks] != [1, 1, 1]
    parted = rows_of(run_rounds(simulator, 4))
    assert all(torch.allclose(parted[key], whole[key], rtol=1e-12, atol=1e-14) for key in whole)


def test_centralised_rows_stay_equal_and_all_learn_from_all():
    simulator = federation("oracle", agents="a=1,b=1,a+b=1", sizes=(12, 7, 20))
    start = rows_of(simulator)
    run_rounds(simulator, 3)
    for rows in simulator.layout.branches.values():
        assert torch.allclose(rows.params, rows.params[:1].expand_as(rows.params), atol=1e-12)
    assert any(not torch.equal(row, start[key]) for key, row in rows_of(simulator).items())


def test_the_tied_gradient_is_the_mean_weighted_by_samples():
    simulator = federation("oracle", agents="a=1,a+b=1", sizes=(5, 15), lr=0.1, optimizer="sgd")
    (rows,) = [r for b, r in simulator.layout.branches.items() if b.label == "a/backbone"]
    rows.gradient[:] = torch.tensor([[1.0], [5.0]], dtype=torch.float64)
    tie_gradients(simulator.layout)
    assert torch.allclose(rows.gradient, torch.full_like(rows.gradient, 4.0))


def test_a_branch_that_the_objective_does_not_touch_takes_no_step():
    simulator = run_rounds(federation("harmony", rounds=10), 3)
    steps = {b.label: rows.steps.tolist() for b, rows in simulator.layout.branches.items()}
    assert set(steps["a+b/fusion"]) == {0}
    assert set(steps["a/encoder"]) == {6}
    run_rounds(simulator, 7)
    after = {b.label: rows.steps.tolist() for b, rows in simulator.layout.branches.items()}
    assert set(after["a+b/fusion"]) == {10}  # two steps in each of the last five rounds
    assert set(after["a/encoder"]) == {20}


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
