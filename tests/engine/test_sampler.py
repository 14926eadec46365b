"""Which samples agents take, and what these are: a pure function of agent, round and step."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from parse_dfl.agents import AgentSpec
from parse_dfl.engine import sampler
from parse_dfl.engine.agent_stack import StackPart
from parse_dfl.engine.sampler import BatchSampler, Choice, agent_key, batch_weights, local_steps
from tests.small import federation

sizes_lists = st.lists(st.integers(1, 15), min_size=1, max_size=5)


def plan(sizes, batch, first=0):
    agents = [AgentSpec(name=f"a-{first + n}", modalities=("a",)) for n in range(len(sizes))]
    return BatchSampler(agents, np.array(sizes), batch)


def stream(plan, row, size, batch, rounds, steps):
    """The sample numbers of one row, round after round, without padding."""
    taken = min(batch, size)
    parts = [plan.positions(r, steps)[:, row, :taken].ravel() for r in range(1, rounds + 1)]
    return np.concatenate(parts)


@given(sizes=sizes_lists, batch=st.integers(1, 8), steps=st.integers(1, 4))
def test_every_epoch_is_a_permutation_across_rounds(sizes, batch, steps):
    batches = plan(sizes, batch)
    for row, size in enumerate(sizes):
        seen = stream(batches, row, size, batch, rounds=6, steps=steps)
        for start in range(0, len(seen) - size + 1, size):
            assert sorted(seen[start : start + size]) == list(range(size))


@given(sizes=sizes_lists, batch=st.integers(1, 8), steps=st.integers(1, 4))
def test_rows_know_nothing_of_each_other(sizes, batch, steps):
    together = plan(sizes, batch).positions(3, steps).swapaxes(0, 1)
    for row, size in enumerate(sizes):
        alone = plan([size], batch, first=row).positions(3, steps)[:, 0]
        assert np.array_equal(together[row, :, : alone.shape[1]], alone)


@given(sizes=sizes_lists, batch=st.integers(1, 8))
def test_weights_average_the_real_samples_and_leave_out_the_padding(sizes, batch):
    weight = batch_weights(np.array(sizes), batch)
    assert np.allclose(weight.sum(1), 1)
    assert ((weight > 0).sum(1) == np.minimum(batch, sizes)).all()
    assert weight.shape[1] == min(batch, max(sizes))


def test_epochs_and_agents_are_shuffled_differently():
    one, other = plan([50, 50], 50).positions(1, 2), plan([50], 50).positions(2, 2)
    assert not np.array_equal(one[0, 0], one[1, 0])
    assert not np.array_equal(one[:, 0], one[:, 1])
    assert not np.array_equal(one[:, 0], other[:, 0])


@given(
    sizes=sizes_lists,
    batch=st.integers(1, 8),
    rounds=st.lists(st.integers(1, 12), min_size=1, max_size=6),
)
def test_what_was_asked_before_does_not_matter(sizes, batch, rounds):
    used = plan(sizes, batch)
    for round in rounds:
        fresh = plan(sizes, batch).positions(round, 2)
        assert np.array_equal(used.positions(round, 2), fresh)


def test_local_steps_follow_the_median_agent():
    assert local_steps([64, 64, 10], 32, epochs=1, steps=None) == 2
    assert local_steps([65, 65, 65], 32, epochs=2, steps=None) == 6
    assert local_steps([64], 32, epochs=5, steps=3) == 3


def test_a_key_is_an_agents_own_for_one_purpose():
    agents = [AgentSpec(name=name, modalities=("a",), seed=s) for name in "xy" for s in (0, 1)]
    keys = {agent_key(agent, use) for agent in agents for use in ("batches", "draws")}
    assert len(keys) == 8
    gained = agents[0].with_modalities(("a", "b"))
    assert agent_key(gained, "draws") == agent_key(agents[0], "draws")


def stack(sizes=(12, 9, 20)):
    (only,) = federation(agents="a+b=3", sizes=sizes).layout.stacks
    return only


def part(block=slice(0, 3)):
    return StackPart(stack(), block)


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
    used = part().sampler
    for round in rounds:
        fresh = joined(part().sampler.choices(round, steps, steps))
        assert_equal(joined(used.choices(round, steps, together)), fresh)


def test_rows_are_chosen_for_alone_as_with_others():
    whole = joined(part().sampler.choices(5, 4, 2))
    some = joined(part(slice(1, 3)).sampler.choices(5, 4, 4))
    assert_equal(some, [value[:, 1:] for value in whole])


def test_much_is_not_chosen_ahead(monkeypatch):
    calls = []
    own = part().sampler
    positions = own.positions
    monkeypatch.setattr(own, "positions", lambda *a, **k: calls.append(k) or positions(*a, **k))
    for round in range(1, 4):
        list(own.choices(round, 2, 2))
    assert [call["rounds"] for call in calls] == [sampler.AHEAD_ROUNDS]
    monkeypatch.setattr(sampler, "AHEAD_NUMBERS", 1)
    for round in range(20, 23):
        list(own.choices(round, 2, 2))
    assert [call["rounds"] for call in calls[1:]] == [1, 1, 1]


@pytest.mark.parametrize("block", [slice(0, 3), slice(1, 2)])
def test_a_minibatch_holds_each_agents_own_samples(block):
    own = stack()
    samples = own.data.samples(block)
    (choice,) = StackPart(own, block).sampler.choices(2, 3, 3)
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
    own = stack()
    samples = own.data.samples(own.all_rows)
    (choice,) = own.whole.sampler.choices(1, 4, 4)
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
    samples = stack().data.samples(slice(0, 2))
    again = samples.like(samples.tensors)
    assert again.inputs.keys() == samples.inputs.keys()
    assert_equal(again.tensors, samples.tensors)
    choice = Choice(torch.zeros(2, 1, 1, dtype=torch.int64), torch.zeros(2, 1, dtype=torch.int64))
    assert len(choice.part(slice(1, 2))) == 1
