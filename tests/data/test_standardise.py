import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parse_dfl.agents import Kind
from parse_dfl.data.standardise import LIMIT, as_numbers, fit
from parse_dfl.errors import DataError

RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(200, 3))
STEPS = RNG.integers(-20, 21, (200, 1))


def standardised(values):
    return fit(values, Kind.VECTOR).apply(values)


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


@pytest.mark.parametrize("type_", ["?", "u1", "i1", "u2", "i2", "f2", "f4"])
def test_narrow_types_become_float32_and_keep_every_value(type_):
    values = (60_000 * RNG.random((2000, 2))).astype(type_)
    numbers = as_numbers("a", values)
    assert numbers.dtype == np.float32
    np.testing.assert_array_equal(numbers, values)


def test_sums_of_narrow_types_do_not_overflow():
    bright = RNG.integers(250, 256, (5000, 4)).astype(np.uint8)
    half = np.full((5000, 4), 60_000, np.float16)
    half[::2] = 30_000
    for values in (bright, half):
        with warnings.catch_warnings(action="error"):
            found = standardised(as_numbers("a", values))
        np.testing.assert_allclose(found, standardised(values.astype(np.float64)), atol=1e-4)
        np.testing.assert_allclose(found.std(axis=0), 1, rtol=1e-4)


@pytest.mark.parametrize("unit", [1e-110, 1e-40, 1e-25, 1e25, 1e37, 1e60, 1e110])
def test_no_unit_is_too_small_or_too_large(unit):
    numbers = as_numbers("a", TABLE * np.array([1, unit, 1]))
    np.testing.assert_allclose(standardised(numbers), standardised(TABLE), atol=1e-5)


@pytest.mark.parametrize("type_", [np.float64, np.int64, np.uint64])
def test_time_stamps_in_seconds_keep_what_differs(type_):
    numbers = as_numbers("a", (1_700_000_000 + STEPS).astype(type_))
    np.testing.assert_allclose(standardised(numbers), standardised(STEPS), atol=1e-6)


def test_codes_stay_apart_that_float32_would_merge():
    codes = np.array([[0], [2**25], [2**25 + 1], [2**26]])
    assert len(np.unique(as_numbers("a", codes))) == 4


def test_large_integers_that_differ_by_enough_are_kept():
    stamps = 1_700_000_000_000_000_000 + STEPS * 1_000_000_000
    np.testing.assert_allclose(
        standardised(as_numbers("a", stamps)), standardised(STEPS), atol=1e-6
    )
    ends = np.array([[np.iinfo(np.int64).min], [np.iinfo(np.int64).max]])
    np.testing.assert_allclose(standardised(as_numbers("a", ends)), [[-1], [1]])
    constant = np.full((4, 1), 2**60 + 1)
    assert standardised(as_numbers("a", constant)).tolist() == [[0]] * 4


@pytest.mark.parametrize("type_", [np.int64, np.uint64])
def test_integers_that_float64_cannot_tell_apart_are_refused(type_):
    stamps = (1_700_000_000_000_000_000 + STEPS).astype(type_)
    table = np.hstack([np.arange(200)[:, None].astype(type_), stamps])
    message = (
        r"'a' has integers near 1.7e\+18 .* deviation of 1\d.* \(feature 1\), of which .* 256;"
    )
    with pytest.raises(DataError, match=message):
        as_numbers("a", table)


@pytest.mark.parametrize("unit", [1e-200, 1e200, 1e300, 1e307])
def test_what_float64_cannot_standardise_is_refused(unit):
    values = TABLE.copy()
    values[:, 1] *= unit
    with (
        warnings.catch_warnings(action="error"),
        pytest.raises(DataError, match=r"'a' has mean .* \(feature 1\); .* change its unit"),
    ):
        as_numbers("a", values)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("type_", [np.float16, np.float32, np.float64])
def test_numbers_that_are_not_finite_are_counted(bad, type_):
    values = np.zeros((4, 2), type_)
    values[1] = bad
    with pytest.raises(DataError, match="'a' has 2 NaN or infinite values; clean"):
        as_numbers("a", values)


def test_a_channel_counts_as_well_as_a_place():
    far = TABLE[:, None, :] + 1e6 * np.array([1.0, 0, 0])
    assert as_numbers("a", far).dtype == np.float64
    assert as_numbers("a", TABLE[:, None, :]).dtype == np.float32
