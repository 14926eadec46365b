from __future__ import annotations

import pytest

from parse_dfl.peers.compatibility import (
    MOST_TERM_VALUE,
    MOST_TERMS,
    differences,
    in_a_sentence,
    listed,
    read_terms,
    short,
)
from parse_dfl.peers.rejection import Reason, Rejected


def test_a_difference_names_both_values_at_both_sites():
    found = differences({"lr": "0.1", "seed": "1"}, {"lr": "0.2", "seed": "1"}, me="a", them="b")
    assert found == ["lr is [0.1] at a and [0.2] at b"]


def test_what_one_does_not_tell_is_a_difference():
    assert differences({"lr": "0.1"}, {}, me="a", them="b") == [
        "lr is [0.1] at a and not told at b"
    ]
    assert differences({}, {"lr": "0.1"}, me="a", them="b") == [
        "lr is not told at a and [0.1] at b"
    ]


def test_a_modality_counts_where_both_own_it():
    mine, theirs = {"sample of x": "vector 3"}, {"sample of y": "vector 3"}
    assert not differences(mine, theirs, me="a", them="b")
    assert differences(mine, {"sample of x": "image 1x2x2"}, me="a", them="b")


def test_long_lists_stay_short_and_still_differ():
    names = [f"a class of a very long name {number}" * 9 for number in range(1000)]
    other = [*names[:-1], "another"]
    assert len(listed(names)) == MOST_TERM_VALUE
    assert listed(names).startswith("1000: 'a class")
    assert listed(names) != listed(other)
    assert listed(names[::-1]) != listed(names)
    assert listed(["a", "b"]) != listed(["a', 'b"])


def test_what_cannot_be_shown_is_known_by_its_digest():
    assert short("a\nb").isprintable()
    assert short("a\nb") != short("a\tb")
    assert short("\ud800").isprintable()


def test_a_sentence_has_few_differences():
    assert in_a_sentence(["a", "b"]) == "a; b"
    assert in_a_sentence(list("abcde")) == "a; b; c; and 2 more"


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (None, Reason.FRAMING),
        ([], Reason.FRAMING),
        ("text", Reason.FRAMING),
        ({"lr": 1}, Reason.FRAMING),
        ({"lr": None}, Reason.FRAMING),
        ({"lr": ""}, Reason.FRAMING),
        ({"": "x"}, Reason.FRAMING),
        ({"lr": "a\nb"}, Reason.FRAMING),
        ({"lr": "\ud800"}, Reason.FRAMING),
        ({"n" * 129: "x"}, Reason.FRAMING),
        ({"lr": "x" * (MOST_TERM_VALUE + 1)}, Reason.FRAMING),
        ({str(number): "x" for number in range(MOST_TERMS + 1)}, Reason.FRAMING),
        ({str(number): "x" * MOST_TERM_VALUE for number in range(100)}, Reason.SIZE),
    ],
)
def test_malformed_terms_are_refused(told, reason):
    with pytest.raises(Rejected) as refused:
        read_terms(told)
    assert refused.value.reason is reason
