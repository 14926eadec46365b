from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parse_dfl.errors import DataError
from parse_dfl.text import LARGEST, SEPARATORS, as_given, name_key, real, whole


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


NAMES = st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters=SEPARATORS)
                | st.sampled_from(" -_u2"), min_size=1, max_size=8).map(
    lambda text: unicodedata.normalize("NFC", text.strip())
).filter(lambda text: text.isprintable() and text.strip())  # fmt: skip


@given(NAMES)
def test_a_key_is_safe_everywhere_is_its_own_key_and_shows_the_name(name):
    inside = name_key(name)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", inside)
    assert name_key(inside) == inside
    assert as_given(inside) == name or name == inside


@given(NAMES, NAMES)
def test_different_names_have_different_keys(first, second):
    if as_given(first) != as_given(second):
        assert (name_key(first) == name_key(second)) == (first == second)


def test_plain_names_are_their_own_keys():
    assert name_key("acc_2") == "acc_2"


def test_accents_composed_or_not_are_one_name():
    assert name_key("e\u0301") == name_key("\u00e9") == "-ue9-"


@pytest.mark.parametrize(
    "name", ["", " ", "a+b", "a=b", "a,b", "a\tb", "\udce9", "x" * 101, "é" * 30]
)
def test_names_that_cannot_be(name):
    with pytest.raises(ValueError, match="name"):
        name_key(name)


@pytest.mark.parametrize("text", ["-u41-", "-u2b-", "-u110000-", "-uzz-", "a-u020-b"])
def test_what_no_name_gives_stays_as_it_is(text):
    assert as_given(text) == text
    assert name_key(text) != text


def test_errors_show_names_as_given():
    assert str(DataError("no modality 'left-u20-wrist'")) == "no modality 'left wrist'"
