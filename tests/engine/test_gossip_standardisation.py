"""What agents agree to standardise by is that of the union of their samples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parse_dfl.agents import AgentMix, Kind
from parse_dfl.data.standardise import Moments, fit
from parse_dfl.engine.gossip import BYTES_PER_NUMBER
from parse_dfl.engine.gossip_standardisation import STEPS, agree, merge_rows
from parse_dfl.overlays.mixing_matrix import metropolis
from parse_dfl.overlays.topologies import Topology
from tests.small import small_data, small_shards

RING = Topology.of("ring")


def federation(mix="a=3,a+b=3", seeds=(0, 1), sizes=(12, 30)):
    data = small_data({"a": (3,), "b": (6, 2)})
    agents = [agent for seed in seeds for agent in AgentMix.from_string(mix).agents(seed)]
    return data, small_shards(agents, data, sizes)


@pytest.mark.parametrize("topology", ["ring", "one-peer-exponential", "random-matching"])
def test_all_owners_of_a_federation_get_the_statistics_of_their_union(topology):
    data, shards = federation()
    agreed, _ = agree(data, shards, Topology.of(topology))
    for modality, owners in (("a", 6), ("b", 3)):
        for seed in (0, 1):
            own = [s for s in agreed if s.agent.seed == seed and modality in s.agent.modalities]
            union = np.concatenate([shard.indices for shard in own])
            told = fit(data.modalities[modality][union], data.kinds[modality])
            assert len(own) == owners
            for shard in own:
                found = shard.standardisers[modality]
                assert np.allclose(found.mean, told.mean, atol=1e-4)
                assert np.allclose(found.scale, told.scale, rtol=1e-4)
                assert found.mean.shape == told.mean.shape
    assert all(set(shard.standardisers) == set(shard.agent.modalities) for shard in agreed)


def test_after_a_few_steps_agents_know_of_their_neighbours_only():
    data, shards = federation(mix="a=9", seeds=(0,))
    after_one, _ = agree(data, shards, RING, steps=1)
    means = [shard.standardisers["a"].mean for shard in after_one]
    assert np.ptp(means, axis=0).min() > 1e-3


def test_what_is_sent_is_counted_by_link():
    data, shards = federation(mix="a=3,a+b=2", seeds=(0,))
    _, sent = agree(data, shards, RING)
    of_a, of_b = 1 + 2 * 3, 1 + 2 * 2
    assert sent.total_bytes == STEPS * BYTES_PER_NUMBER * (2 * 5 * of_a + 2 * of_b)
    assert sent.largest_bytes <= STEPS * BYTES_PER_NUMBER * (of_a + of_b)


def test_a_lone_owner_has_its_own():
    data, shards = federation(mix="a=2,a+b=1", seeds=(0,))
    agreed, _ = agree(data, shards, RING)
    (lone,) = (shard for shard in agreed if "b" in shard.agent.modalities)
    own = fit(data.modalities["b"][lone.indices], data.kinds["b"])
    assert np.allclose(lone.standardisers["b"].mean, own.mean, atol=1e-5)


def sums(row):
    count, mean, deviations = row[0], *np.split(row[1:], 2)
    return np.concatenate([[count], count * mean, deviations + count * mean**2])


@given(st.integers(2, 9), st.integers(0, 2**32 - 1))
def test_merging_moments_is_mixing_their_sums(members, seed):
    rng = np.random.default_rng(seed)
    values = [rng.normal(rng.normal(), 1, (rng.integers(1, 9), 3)) for _ in range(members)]
    rows = np.stack([Moments.of(own, Kind.VECTOR).row() for own in values])
    names = [str(number) for number in range(members)]
    mixing = metropolis(Topology.of("ring").edges(names, round=1, seed=0, label="a"))
    mixed_sums = mixing.dense() @ np.stack([sums(row) for row in rows])
    np.testing.assert_allclose([sums(row) for row in merge_rows(rows, mixing)], mixed_sums)
