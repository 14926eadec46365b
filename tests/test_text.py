from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parse_dfl.text import LARGEST, real, whole


@given(st.integers(-LARGEST, LARGEST))
def test_whole_numbers_come_back(number):
    assert whole(str(number)) == number
    assert whole(f" {number:+d} ") == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_come_back(number):
    assert real(repr(number)) == number


@pytest.mark.parametrize(
    "text",
    ["", " ", "+", "-", "--5", "²", "٣", "1_000", "1e3", "1.0", "0x10", "nan", "1 2", "9" * 5000,
     str(LARGEST + 1)],
)  # fmt: skip
def test_what_is_no_whole_number(text):
    assert whole(text) is None


@pytest.mark.parametrize(
    "text", ["", "nan", "inf", "-Infinity", "1e400", "²", "٣", "1_000", "0x10", "1e", ".", "1,5"]
)
def test_what_is_no_number(text):
    assert real(text) is None


def test_there_is_no_negative_zero():
    assert str(real("-0")) == "0.0"


def test_zeros_in_front_do_not_count():
    assert whole("0" * 40 + "7") == 7
