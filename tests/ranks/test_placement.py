from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from parse_dfl.agents import AgentMix
from parse_dfl.networks.network import Network, Outputs
from parse_dfl.ranks.placement import CROWDED, Ownership, Work, cut_weight, partition_graph
from tests.small import small_data, small_network_spec, small_shards


def ring(order):
    return np.stack([order, np.roll(order, 1)], axis=1)


@st.composite
def graphs(draw):
    """Work, links, weights, and into how many parts."""
    size = draw(st.integers(1, 24))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    pairs = rng.integers(0, size, size=(draw(st.integers(0, 60)), 2))
    work = rng.choice([1.0, 1.0, 2.5, 7.0], size=size)
    return work, pairs, rng.random(len(pairs)), draw(st.integers(1, min(size, 5)))


@given(graphs())
def test_every_part_has_someone_and_the_same_input_gives_the_same_parts(graph):
    work, pairs, weight, parts = graph
    part = partition_graph(work, pairs, weight, parts)
    assert set(part.tolist()) == set(range(parts))
    assert np.array_equal(part, partition_graph(work, pairs, weight, parts))


@pytest.mark.parametrize("parts", [2, 3, 4])
def test_a_ring_is_cut_into_arcs_whatever_the_order_of_its_members(parts):
    order = np.random.default_rng(0).permutation(60)
    pairs = ring(order)
    part = partition_graph(np.ones(60), pairs, np.ones(60), parts)
    assert cut_weight(part, pairs, np.ones(60)) == parts
    assert np.bincount(part).tolist() == [60 // parts] * parts


def test_the_heavy_ring_of_two_is_kept_whole():
    rng = np.random.default_rng(1)
    heavy, light = ring(rng.permutation(40)), ring(rng.permutation(40))
    pairs = np.concatenate([heavy, light])
    weight = np.repeat([100.0, 1.0], 40)
    part = partition_graph(np.ones(40), pairs, weight, 2)
    assert cut_weight(part, heavy, np.full(40, 100.0)) == 200


def test_the_cut_of_random_neighbours_is_far_below_a_random_one():
    rng = np.random.default_rng(2)
    pairs = np.concatenate([ring(rng.permutation(200)) for _ in range(2)])
    part = partition_graph(np.ones(200), pairs, np.ones(400), 2)
    assert cut_weight(part, pairs, np.ones(400)) < 0.2 * 400


def test_work_is_balanced_to_within_a_vertex():
    rng = np.random.default_rng(3)
    work = rng.choice([1.0, 3.0], size=90)
    pairs = np.concatenate([ring(rng.permutation(90)) for _ in range(2)])
    part = partition_graph(work, pairs, np.ones(180), 2)
    first, second = (work[part == side].sum() for side in (0, 1))
    assert abs(first - second) <= 2 * 3.0


def test_groups_without_links_between_them_are_not_cut():
    pairs = np.concatenate([ring(np.arange(8)), ring(np.arange(8, 16))])
    part = partition_graph(np.ones(16), pairs, np.ones(16), 2)
    assert cut_weight(part, pairs, np.ones(16)) == 0


def test_a_crowded_graph_is_cut_without_looking_for_better():
    size = 2 * CROWDED
    pairs = np.argwhere(np.triu(np.ones((size, size)), 1))
    part = partition_graph(np.ones(size), pairs, np.ones(len(pairs)), 2)
    assert np.bincount(part).tolist() == [size // 2, size // 2]


class Twice(Network):
    """One layer for every modality, and another one on all outputs together."""

    def __init__(self, network_spec, agent):
        super().__init__()
        self.names = agent.modalities
        for name in self.names:
            (width,) = network_spec.samples[name].shape
            self.add(name, "layer", lambda width=width: nn.Linear(width, 5))
        self.add("any", "head", lambda: nn.Linear(5, network_spec.classes))

    def forward(self, inputs):
        features = sum(self.part(name, "layer")(inputs[name]) for name in self.names)
        return Outputs(self.part("any", "head")(features))


def test_the_work_of_an_agent_is_its_products_and_its_parameters():
    data = small_data()
    shards = small_shards(AgentMix.from_string("a=2,a+b=1").agents(0), data, [12])
    ownership = Ownership(shards, Twice, small_network_spec(data))
    alone, _, both = (ownership.work[agent] for agent in ownership.agents)
    assert alone == Work(forward=2 * (3 * 5 + 5 * 3), parameters=3 * 5 + 5 + 5 * 3 + 3)
    assert both.forward == alone.forward + 2 * 4 * 5
    assert {
        str(branch).rpartition("/")[0]: len(own.agents)
        for branch, own in ownership.branches.items()
    } == {
        "any/head": 3,
        "a/layer": 3,
        "b/layer": 1,
    }
