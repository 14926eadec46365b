import warnings

import numpy as np
import pytest

from parse_dfl.agents import Kind
from parse_dfl.data.numbers import as_numbers
from parse_dfl.data.standardise import fit
from parse_dfl.errors import DataError

RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(200, 3))
STEPS = RNG.integers(-20, 21, (200, 1))


def standardised(values):
    return fit(values, Kind.VECTOR).apply(values)


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
