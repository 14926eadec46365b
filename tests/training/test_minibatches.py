"""Which samples agents take, and what these are: a pure function of agent, round and step."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from parse_dfl.training import minibatches
from parse_dfl.training.minibatches import Choice
from tests.small import federation


def cohort(sizes=(12, 9, 20)):
    (only,) = federation(agents="a+b=3", sizes=sizes).layout.cohorts
    return only


def joined(choices):
    parts = list(choices)
    return torch.cat([part.number for part in parts]), torch.cat([part.keys for part in parts])


def assert_equal(one, other):
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@given(
    rounds=st.lists(st.integers(1, 30), min_size=1, max_size=8),
    steps=st.integers(1, 6),
    together=st.integers(1, 4),
)
def test_what_was_chosen_before_or_ahead_does_not_matter(rounds, steps, together):
    used = cohort()
    for round in rounds:
        fresh = joined(cohort().choices(slice(0, 3), round, steps, steps))
        assert_equal(joined(used.choices(slice(0, 3), round, steps, together)), fresh)


def test_rows_are_chosen_for_alone_as_with_others():
    whole = joined(cohort().choices(slice(0, 3), 5, 4, 2))
    part = joined(cohort().choices(slice(1, 3), 5, 4, 4))
    assert_equal(part, [value[:, 1:] for value in whole])


def test_much_is_not_chosen_ahead(monkeypatch):
    calls = []
    own = cohort()
    plan = own._chooser.plan
    positions = plan.positions
    monkeypatch.setattr(plan, "positions", lambda *a, **k: calls.append(k) or positions(*a, **k))
    for round in range(1, 4):
        list(own.choices(slice(0, 3), round, 2, 2))
    assert [call["rounds"] for call in calls] == [minibatches.AHEAD_ROUNDS]
    monkeypatch.setattr(minibatches, "AHEAD_NUMBERS", 1)
    for round in range(20, 23):
        list(own.choices(slice(0, 3), round, 2, 2))
    assert [call["rounds"] for call in calls[1:]] == [1, 1, 1]


@pytest.mark.parametrize("block", [slice(0, 3), slice(1, 2)])
def test_a_minibatch_holds_each_agents_own_samples(block):
    own = cohort()
    samples = own.data.samples(block)
    (choice,) = own.choices(block, 2, 3, 3)
    made = list(samples.minibatches(choice))
    assert len(made) == len(choice) == 3
    for step, minibatch in enumerate(made):
        for row in range(block.stop - block.start):
            picked = choice.number[step, row]
            assert torch.equal(minibatch.number[row], picked)
            assert torch.equal(minibatch.label[row], own.data.label[block][row, picked])
            for name, values in own.data.inputs.items():
                assert torch.equal(minibatch.inputs[name][row], values[block][row, picked])


def test_steps_one_by_one_are_the_steps_together():
    own = cohort()
    samples = own.data.samples(own.all_rows)
    (choice,) = own.choices(own.all_rows, 1, 4, 4)
    alone = [
        minibatch
        for step in range(4)
        for minibatch in samples.minibatches(choice.part(slice(step, step + 1)))
    ]
    for one, other in zip(alone, samples.minibatches(choice), strict=True):
        assert torch.equal(one.label, other.label)
        assert torch.equal(one.draws.row_keys, other.draws.row_keys)
        drawn = [m.draws.dropout(0.5, m.inputs["a"].shape, torch.float64) for m in (one, other)]
        assert torch.equal(*drawn)


def test_tensors_are_read_in_the_order_in_which_they_are_given():
    samples = cohort().data.samples(slice(0, 2))
    again = samples.like(samples.tensors)
    assert again.inputs.keys() == samples.inputs.keys()
    assert_equal(again.tensors, samples.tensors)
    choice = Choice(torch.zeros(2, 1, 1, dtype=torch.int64), torch.zeros(2, 1, dtype=torch.int64))
    assert len(choice.part(slice(1, 2))) == 1
