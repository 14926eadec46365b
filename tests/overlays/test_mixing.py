import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from parse_dfl.overlays import mixing as mixing_module
from parse_dfl.overlays.mixing import Mixing, spectral_gap
from parse_dfl.overlays.topologies import parse_topology
from parse_dfl.overlays.weights import metropolis

DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
    ),
]


def mixing_of(text, size):
    members = [f"agent-{index}" for index in range(size)]
    topology = parse_topology(text)
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
    combined = Mixing.combine(parts, size).dense()
    expected = np.eye(size)
    for mixing, group in parts:
        expected[np.ix_(group, group)] = mixing.dense()
    assert np.allclose(combined, expected, rtol=0, atol=1e-15)


def test_an_absent_row_stays_bit_for_bit():
    mixing = mixing_of("full", 6).without(np.arange(6) == 2)
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
