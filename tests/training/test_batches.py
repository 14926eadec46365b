from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from parse_dfl.agents import AgentSpec
from parse_dfl.training.batches import BatchPlan, agent_key, local_steps

sizes_lists = st.lists(st.integers(1, 15), min_size=1, max_size=5)


def plan(sizes, batch, first=0):
    agents = [AgentSpec(name=f"a-{first + n}", modalities=("a",)) for n in range(len(sizes))]
    keys = np.array([agent_key(agent, "batches") for agent in agents], dtype=np.uint64)
    return BatchPlan(keys, np.array(sizes), batch)


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
    weight = plan(sizes, batch).weight
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
