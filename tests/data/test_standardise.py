import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parse_dfl.agents import Kind
from parse_dfl.data.standardise import LIMIT, fit


@pytest.mark.parametrize(
    ("shape", "kind", "statistics"),
    [
        ((5,), Kind.VECTOR, (5,)),
        ((20, 3), Kind.SERIES, (1, 3)),
        ((8, 8), Kind.IMAGE, (1, 1)),
        ((8, 8, 3), Kind.IMAGE, (1, 1, 3)),
        ((4, 8, 8), Kind.VIDEO, (1, 1, 1)),
        ((4, 8, 8, 3), Kind.VIDEO, (1, 1, 1, 3)),
    ],
)
def test_every_feature_or_channel_gets_mean_zero_and_deviation_one(shape, kind, statistics):
    spread = np.arange(1, shape[-1] + 1)
    values = np.random.default_rng(0).normal(3, spread, (200, *shape)).astype(np.float32)
    standardiser = fit(values, kind)
    assert standardiser.mean.shape == standardiser.scale.shape == statistics
    result = standardiser.apply(values)
    pooled = tuple(axis for axis, size in enumerate((1, *statistics)) if size == 1)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result.mean(axis=pooled), 0, atol=1e-5)
    np.testing.assert_allclose(result.std(axis=pooled), 1, rtol=1e-4)


def table():
    return np.random.default_rng(0).normal(size=(64, 4))


def test_a_locally_constant_feature_reads_zero_and_a_rare_one_is_clipped():
    values = table()
    values[:, 0], values[:, 1], values[0, 1] = 2, 0, 1e-3
    standardiser = fit(values, Kind.VECTOR)
    later = standardiser.apply(np.array([[1e9, 1e9, 0, 0], [2, -1e9, 0, 0]]))
    assert later[:, 0].tolist() == [0, 0]
    assert later[:, 1].tolist() == [LIMIT, -LIMIT]


@pytest.mark.parametrize("value", [0.1, 1e9 + 0.1, 1 / 3])
@pytest.mark.parametrize("samples", [3, 64, 5000])
def test_a_constant_is_zero_however_its_sum_is_rounded(value, samples):
    values = np.full((samples, 2), value)
    assert not fit(values, Kind.VECTOR).apply(values).any()


def test_rounding_noise_is_no_information():
    values = np.full((64, 1), 1e6, np.float32)
    values[::2] = np.nextafter(values[0, 0], np.float32(2e6))
    assert fit(values, Kind.VECTOR).apply(values).tolist() == [[0]] * 64


@given(st.integers(-40, 40), st.floats(-2e9, 2e9), st.integers(0, 3))
def test_a_feature_is_standardised_whatever_its_unit_and_that_of_others(power, shift, place):
    values = table()
    changed = values.copy()
    changed[:, place] = (changed[:, place] + shift) * 2.0**power
    before, after = (fit(each, Kind.VECTOR).apply(each) for each in (values, changed))
    others = np.arange(4) != place
    np.testing.assert_array_equal(after[:, others], before[:, others])
    np.testing.assert_allclose(after[:, place], before[:, place], atol=1e-5)
