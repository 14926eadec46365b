from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from parse_dfl.networks.counter_rng import (
    CounterRng,
    CounterRngAhead,
    current_rng,
    hash_counters,
    hash_tensor,
    use_rng,
)

WORDS = st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=8)
KEYS = torch.tensor([3, -7, 2**62, 11])
KINDS = {
    "keep": lambda draws, shape: draws.keep(0.7, torch.Size(shape)),
    "normal": lambda draws, shape: draws.normal(torch.Size(shape), torch.float64),
    "keys": lambda draws, shape: draws.keys(),
    "dropout": lambda draws, shape: draws.dropout(0.3, torch.Size(shape), torch.float64),
}


@given(WORDS, WORDS)
def test_numpy_and_torch_hash_alike_bit_for_bit(keys, counters):
    keys = np.array(keys, dtype=np.uint64)[:, None]
    counters = np.array(counters, dtype=np.uint64)[None]
    hashed = hash_counters(keys, counters)
    tensors = [torch.from_numpy(part.view(np.int64)) for part in (keys, counters)]
    assert np.array_equal(hash_tensor(*tensors).numpy().view(np.uint64), hashed)


def test_the_hash_is_that_of_splitmix64():
    # The first outputs of the published generator, seeded with 1234567.
    counters = np.arange(3, dtype=np.uint64)
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert hash_counters(np.array([1234567], dtype=np.uint64), counters).tolist() == expected


@pytest.mark.parametrize("kind", KINDS)
def test_a_rows_draws_do_not_depend_on_the_other_rows(kind):
    draw = KINDS[kind]
    together = draw(CounterRng(KEYS), (4, 5, 3))
    order = torch.tensor([2, 0, 3, 1])
    assert torch.equal(draw(CounterRng(KEYS[order]), (4, 5, 3)), together[order])
    for row in range(4):
        assert torch.equal(draw(CounterRng(KEYS[row : row + 1]), (1, 5, 3))[0], together[row])


@pytest.mark.parametrize("kind", KINDS)
def test_sites_and_rows_differ(kind):
    draws = CounterRng(KEYS)
    first, second = (KINDS[kind](draws, (4, 100)) for _ in range(2))
    assert not torch.equal(first, second)
    assert len({str(row.tolist()) for row in first}) == 4


@pytest.mark.parametrize("probability", [1 / 256, 0.2, 0.5, 0.8, 1.0])
def test_entries_are_kept_with_the_probability_asked_for(probability):
    kept = CounterRng(torch.arange(20)).keep(probability, torch.Size((20, 5003))).double()
    exact = round(probability * 256) / 256
    deviation = (exact * (1 - exact) / kept.numel()) ** 0.5
    assert abs(kept.mean() - exact) <= 5 * deviation
    by_row = (exact * (1 - exact) / 5003) ** 0.5
    assert (kept.mean(1) - exact).abs().max() <= 5 * by_row


def test_normal_draws_have_mean_zero_variance_one_and_no_correlation():
    draws = CounterRng(torch.arange(10))
    values = draws.normal(torch.Size((10, 10_000)), torch.float64)
    assert values.isfinite().all()
    assert values.mean().abs() < 5 / 1e5**0.5
    assert (values.var() - 1).abs() < 5 * (2 / 1e5) ** 0.5
    correlation = values.corrcoef() - torch.eye(10)
    assert correlation.abs().max() < 5 / 1e4**0.5
    assert ((values.abs() > 1.96).double().mean() - 0.05).abs() < 5 * (0.05 * 0.95 / 1e5) ** 0.5
    assert draws.normal(torch.Size((10, 2)), torch.float32).dtype is torch.float32


def test_draws_are_there_inside_drawing_only():
    assert current_rng() is None
    with use_rng(KEYS):
        outer = current_rng()
        with use_rng(KEYS[:1]):
            assert current_rng() is not outer
        assert current_rng() is outer
    assert current_rng() is None


@pytest.mark.parametrize("kind", KINDS)
def test_draws_made_ahead_are_those_made_step_by_step(kind):
    keys = torch.stack([KEYS, KEYS + 1, KEYS - 5])
    ahead = CounterRngAhead(keys)
    for step, own in enumerate(keys):
        alone, drawn = CounterRng(own), ahead.step(step)
        for shape in ((4, 5, 3), (4, 2), (4, 2), (20, 3)):  # the last: rows and batch in one axis
            assert torch.equal(KINDS[kind](drawn, shape), KINDS[kind](alone, shape))
