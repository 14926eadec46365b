"""Tests."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from parse_dfl.config.topology import TOPOLOGY_RULES
from parse_dfl.errors import ConfigError
from parse_dfl.overlays import mixing_matrix as mixing_module
from parse_dfl.overlays.graph import OverlayWarning
from parse_dfl.overlays.mixing_matrix import (
    MixingMatrix,
    metropolis,
    metropolis_weight,
    spectral_gap,
)
from parse_dfl.overlays.topologies import Topology

DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
    ),
]


def mixing_of(text, size):
    members = [f"agent-{index}" for index in range(size)]
    topology = Topology.of(text)
    return metropolis(topology.edges(members, round=0, seed=0, label="acc/backbone"))


def test_bfloat16_is_mixed_in_float32_so_that_nothing_grows_or_shrinks():
    mixing = mixing_of("ring", 9)
    matrix = torch.ones(9, 64, dtype=torch.bfloat16)
    for _ in range(50):
        mixing.apply_in_place(matrix)
    assert torch.equal(matrix, torch.ones_like(matrix))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-14)])
@pytest.mark.parametrize("text", ["ring", "scale-free", "one-peer-exponential", "full"])
def test_apply_is_the_product_with_the_dense_matrix(text, dtype, tolerance, device):
    mixing = mixing_of(text, 9)
    matrix = torch.randn(9, 50, dtype=dtype, generator=torch.Generator().manual_seed(0)).to(device)
    before = matrix.clone()
    mixed = mixing.apply(matrix)
    expected = torch.from_numpy(mixing.dense()) @ before.cpu().double()
    assert (mixed.dtype, mixed.device) == (matrix.dtype, matrix.device)
    assert torch.allclose(mixed.cpu().double(), expected, rtol=0, atol=tolerance)
    assert torch.equal(matrix, before)
    assert torch.equal(mixing.apply(matrix), mixed)


def test_apply_takes_a_window_of_columns():
    mixing = mixing_of("ring", 5)
    matrix = torch.randn(5, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for window in (matrix[:, 3:7], matrix.T[:5], matrix[:, :0]):
        assert torch.allclose(mixing.apply(window), torch.from_numpy(mixing.dense()) @ window)


@pytest.mark.parametrize("columns", [0, 3, 16, 20])
def test_mixing_in_place_is_the_same(columns, monkeypatch):
    monkeypatch.setattr(mixing_module, "STRIP_ENTRIES", 40)
    monkeypatch.setattr(mixing_module, "LEAST_STRIP_COLUMNS", 8)
    mixing = mixing_of("scale-free", 5)
    matrix = torch.randn(5, 20, generator=torch.Generator().manual_seed(0))
    expected = mixing.apply(matrix[:, :columns])
    kept = matrix[:, columns:].clone()
    mixing.apply_in_place(matrix[:, :columns])
    assert torch.allclose(matrix[:, :columns], expected)
    assert torch.equal(matrix[:, columns:], kept)


def test_apply_records_no_gradient():
    matrix = torch.ones(3, 2, requires_grad=True)
    assert not mixing_of("ring", 3).apply(matrix).requires_grad


def test_each_device_and_type_is_prepared_once(monkeypatch):
    mixing = mixing_of("ring", 4)
    first = mixing.apply(torch.ones(4, 2))
    monkeypatch.setattr(mixing_module.np, "lexsort", lambda keys: pytest.fail("prepared twice"))
    assert torch.equal(mixing.apply(torch.ones(4, 2)), first)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 6), st.integers(0, 6), st.integers(0, 3), st.randoms())
def test_combined_groups_mix_as_if_alone(first, second, others, random):
    size = first + second + others
    rows = np.array(random.sample(range(size), size), dtype=np.int64)
    groups = [rows[:first], rows[first : first + second]]
    parts = [(mixing_of("ring", len(group)), group) for group in groups]
    combined = MixingMatrix.combine(parts, size).dense()
    expected = np.eye(size)
    for mixing, group in parts:
        expected[np.ix_(group, group)] = mixing.dense()
    assert np.allclose(combined, expected, rtol=0, atol=1e-15)


def test_an_absent_row_stays_bit_for_bit():
    mixing = mixing_of("full", 6).drop_nodes(np.arange(6) == 2)
    matrix = torch.randn(6, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(mixing.apply(matrix)[2], matrix[2])


@pytest.mark.parametrize(
    ("text", "size", "gap"),
    [
        ("full", 7, 1.0),
        ("full", 1, 1.0),
        ("ring", 12, (1 - np.cos(2 * np.pi / 12)) * 2 / 3),
        ("random-matching", 6, 0.0),
        ("one-peer-exponential", 8, 1 - np.cos(np.pi / 8)),
    ],
)
def test_spectral_gaps_that_are_known(text, size, gap):
    assert spectral_gap(mixing_of(text, size)) == pytest.approx(gap, abs=1e-12)


@pytest.mark.parametrize("text", ["ring", "regular:4"])
def test_large_mixings_have_their_gap_from_the_two_largest_eigenvalues(text, monkeypatch):
    mixing = mixing_of(text, 150)
    gap = spectral_gap(mixing)
    monkeypatch.setattr(mixing_module, "DENSE_UP_TO", 10)
    assert spectral_gap(mixing) == pytest.approx(gap, rel=1e-6)


def test_the_gap_of_a_long_ring():
    gap = (1 - np.cos(2 * np.pi / 3000)) * 2 / 3
    assert spectral_gap(mixing_of("ring", 3000)) == pytest.approx(gap, rel=1e-4)


NAMES = [name for name in TOPOLOGY_RULES if name not in ("file", "own")]
DIRECTED = [name for name in NAMES if Topology.of(name).directed]
UNDIRECTED = [name for name in NAMES if name not in DIRECTED]

quick = settings(deadline=None, max_examples=80)
sizes = st.integers(1, 12)


def edges_of(text, size, at=0):
    members = [f"agent-{index}" for index in range(size)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OverlayWarning)
        return Topology.of(text).edges(members, round=at, seed=0, label="acc/backbone")


def is_doubly_stochastic(matrix):
    sums = np.concatenate([matrix.sum(0), matrix.sum(1)])
    return bool(np.all(matrix >= -1e-15) and np.allclose(sums, 1, rtol=0, atol=1e-12))


@quick
@given(st.sampled_from(UNDIRECTED), sizes, st.integers(0, 5), st.data())
def test_undirected_mixing_is_symmetric_and_doubly_stochastic(text, size, at, data):
    mixing = metropolis(edges_of(text, size, at))
    absent = np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size)))
    for matrix in (mixing.dense(), mixing.drop_nodes(absent).dense()):
        assert is_doubly_stochastic(matrix)
        assert np.array_equal(matrix, matrix.T)
    assert np.array_equal(mixing.drop_nodes(absent).dense()[absent], np.eye(size)[absent])


@quick
@given(st.sampled_from(DIRECTED), sizes, st.integers(0, 5), st.data())
def test_directed_mixing_is_half_itself_and_half_a_permutation(text, size, at, data):
    mixing = metropolis(edges_of(text, size, at))
    absent = np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size)))
    assert is_doubly_stochastic(mixing.dense())
    assert size == 1 or np.all(mixing.self_weight == 0.5)
    assert np.allclose(mixing.drop_nodes(absent).dense().sum(1), 1)


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
    for matrix in (mixing.dense(), mixing.drop_nodes(absent).dense()):
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
