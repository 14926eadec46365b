import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parse_dfl.errors import ConfigError
from parse_dfl.overlays.edges import OverlayWarning
from parse_dfl.overlays.topologies import RECIPES, parse_topology
from parse_dfl.overlays.weights import metropolis, metropolis_weight

DIRECTED = [name for name, recipe in RECIPES.items() if recipe.directed]
UNDIRECTED = [name for name in RECIPES if name not in DIRECTED]

quick = settings(deadline=None, max_examples=80)
sizes = st.integers(1, 12)


def edges_of(text, size, at=0):
    members = [f"agent-{index}" for index in range(size)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OverlayWarning)
        return parse_topology(text).edges(members, round=at, seed=0, label="acc/backbone")


def is_doubly_stochastic(matrix):
    sums = np.concatenate([matrix.sum(0), matrix.sum(1)])
    return bool(np.all(matrix >= -1e-15) and np.allclose(sums, 1, rtol=0, atol=1e-12))


@quick
@given(st.sampled_from(UNDIRECTED), sizes, st.integers(0, 5), st.data())
def test_undirected_mixing_is_symmetric_and_doubly_stochastic(text, size, at, data):
    mixing = metropolis(edges_of(text, size, at))
    absent = np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size)))
    for matrix in (mixing.dense(), mixing.without(absent).dense()):
        assert is_doubly_stochastic(matrix)
        assert np.array_equal(matrix, matrix.T)
    assert np.array_equal(mixing.without(absent).dense()[absent], np.eye(size)[absent])


@quick
@given(st.sampled_from(DIRECTED), sizes, st.integers(0, 5), st.data())
def test_directed_mixing_is_half_itself_and_half_a_permutation(text, size, at, data):
    mixing = metropolis(edges_of(text, size, at))
    absent = np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size)))
    assert is_doubly_stochastic(mixing.dense())
    assert size == 1 or np.all(mixing.self_weight == 0.5)
    assert np.allclose(mixing.without(absent).dense().sum(1), 1)


def test_weights_come_from_the_degrees():
    star = edges_of("scale-free:1", 3)
    hub = int(np.argmax(star.degrees()))
    leaf = (hub + 1) % 3
    matrix = metropolis(star).dense()
    assert matrix[hub, leaf] == pytest.approx(1 / 3)
    assert matrix[leaf, leaf] == pytest.approx(2 / 3)
    assert metropolis_weight(2, 5) == metropolis_weight(5, 2) == 1 / 6


@quick
@given(st.sampled_from(UNDIRECTED), sizes, st.data())
def test_mixing_by_samples_is_stationary_in_proportion_to_them(text, size, data):
    counts = data.draw(st.lists(st.integers(1, 500), min_size=size, max_size=size))
    samples = np.array(counts)
    absent = np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size)))
    mixing = metropolis(edges_of(text, size), samples=samples)
    for matrix in (mixing.dense(), mixing.without(absent).dense()):
        assert np.all(matrix >= -1e-15)
        assert np.allclose(matrix.sum(1), 1)
        assert np.allclose(samples @ matrix, samples)


@quick
@given(st.sampled_from(UNDIRECTED), sizes)
def test_equal_samples_give_plain_metropolis(text, size):
    edges = edges_of(text, size)
    by_samples = metropolis(edges, samples=np.full(size, 64)).dense()
    assert np.array_equal(by_samples, metropolis(edges).dense())


def test_directed_overlays_cannot_mix_by_samples():
    with pytest.raises(ConfigError, match="directed topology cannot mix by sample counts"):
        metropolis(edges_of(DIRECTED[0], 4), samples=np.ones(4, dtype=np.int64))


def test_every_agent_needs_samples():
    with pytest.raises(ConfigError, match="agent 'agent-2' has 0 samples"):
        metropolis(edges_of("ring", 3), samples=np.array([3, 1, 0]))
