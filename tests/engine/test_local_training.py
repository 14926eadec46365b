from __future__ import annotations

import math

import pytest
import torch

from parse_dfl.engine import memory_plan
from parse_dfl.engine.local_training import largest_divisor, scheduled_lr
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
    monkeypatch.setattr(memory_plan, "PART_BYTES", 25_000)
    simulator = federation(method, **settings)
    assert [len(stack.chunks.parts()) for stack in simulator.layout.stacks] != [1, 1, 1]
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
    from parse_dfl.engine.local_training import tie_gradients

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
