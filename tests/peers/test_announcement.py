from __future__ import annotations

import base64
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parse_dfl.branches import Branch
from parse_dfl.peers.announcement import (
    MOST_TERM_VALUE,
    MOST_TERMS,
    NAMES,
    PeerInfo,
    apart,
    class_terms,
    compatible,
    differences,
    in_a_sentence,
    outvoted_by,
    read_terms,
    short,
)
from parse_dfl.peers.authority import Reason, Rejected
from parse_dfl.peers.certificates import create_ca, issue
from parse_dfl.peers.identity import Identity, Insecure, seal

INFO = PeerInfo(
    name="a-0",
    seed=3,
    modalities=("a", "b"),
    samples=12,
    branches=(Branch("a+b", "synergy", "12ab"),),
    created_ns=2**60,
    terms={"lr": "0.1"},
)
TEXTS = st.text("ab/", max_size=5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("authority")
    for name in ("demo", "other"):
        create_ca(folder / name, federation=name, days=10)
    return folder


def identity(folder, name="a-0", federation="demo"):
    out = folder / f"of-{federation}"
    return Identity.load(issue(folder / federation, name, hosts=["x"], days=5, out=out))


def read(text, authority, federation="demo"):
    return PeerInfo.from_string(text, federation=federation, authority=authority, now=time.time())


def test_an_announcement_comes_back(folder):
    signer = identity(folder)
    text = INFO.to_string(signer)
    assert read(text, signer.authority()) == INFO
    assert not set("/*$?#") & set(text)
    assert read(INFO.to_string(Insecure("a-0", "demo")), None) == INFO


def test_a_newcomer_is_known_by_its_announcement_alone(folder):
    text, fresh = INFO.to_string(identity(folder)), identity(folder, "b-0").authority()
    assert read(text, fresh).name == "a-0"


@pytest.mark.parametrize(
    ("forge", "reason"),
    [
        (lambda own, other: INFO.to_string(Insecure("a-0", "demo")), Reason.FRAMING),
        (lambda own, other: INFO.to_string(other), Reason.FEDERATION),
        (lambda own, other: _altered(INFO.to_string(own)), Reason.SIGNATURE),
        (lambda own, other: "%%%", Reason.FRAMING),
        (lambda own, other: "", Reason.FRAMING),
        (lambda own, other: "A" * 100_000, Reason.SIZE),
    ],
)
def test_a_forged_announcement_is_refused(folder, forge, reason):
    own, other = identity(folder), identity(folder, federation="other")
    with pytest.raises(Rejected) as refused:
        read(forge(own, other), own.authority())
    assert refused.value.reason is reason


def _altered(text):
    raw = base64.urlsafe_b64decode(text + "==").replace(b'"samples":12', b'"samples":99')
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@given(st.binary(max_size=400))
def test_random_bytes_are_refused_and_nothing_else(data):
    with pytest.raises(Rejected):
        read(base64.urlsafe_b64encode(data).decode(), None)


@given(
    st.dictionaries(
        st.sampled_from(
            ["seed", "samples", "created_ns", "modalities", "branches", "terms", "local_steps"]
        ),
        st.none() | st.integers() | TEXTS | st.lists(TEXTS, max_size=3),
    )
)
def test_random_facts_are_an_announcement_or_refused(content):
    text = base64.urlsafe_b64encode(
        seal("info", {"terms": {}, **content}, Insecure("a-0", "demo"))
    ).decode()
    try:
        info = read(text, None)
    except Rejected:
        return
    assert info.samples > 0
    assert info.modalities


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


def test_of_class_lists_the_first_class_that_differs_is_named():
    names = [f"class number {number}" for number in range(100)]
    other = [*names[:70], "another", *names[71:]]
    found = differences(class_terms(names), class_terms(other), me="a", them="b")
    assert found == ["class 70 of label_names is 'class number 70' at a and 'another' at b"]
    fewer = differences(class_terms(names), class_terms(names[:99]), me="a", them="b")
    assert fewer == ["class 99 of label_names is 'class number 99' at a and not there at b"]


def test_very_long_class_lists_fit_and_what_does_not_travel_still_differs():
    names = [f"a class of a very long name {number}" * 9 for number in range(1000)]
    other = [*names[:-1], "another"]
    assert read_terms(class_terms(names)) == class_terms(names)
    (found,) = differences(class_terms(names), class_terms(other), me="a", them="b")
    assert found.startswith("class names (label_names) are [1000 classes, digest ")
    assert class_terms(names[::-1]) != class_terms(names)
    assert class_terms(["a", "b"]) != class_terms(['a", "b'])


@given(st.dictionaries(st.sampled_from([NAMES, f"{NAMES} 1", f"{NAMES} 2"]), st.text(max_size=9)))
def test_whatever_a_stranger_says_of_its_classes_is_a_difference(terms):
    own = class_terms(["x", "y"])
    assert bool(differences(own, terms, me="a", them="b")) == (terms != own)


def info(name, **terms):
    return PeerInfo(
        name=name, seed=0, modalities=("a",), samples=1, branches=(), created_ns=0, terms=terms
    )


def outvoted(own, *others):
    return outvoted_by(own, {other.name: other for other in others})


def test_the_smaller_group_is_outvoted_and_of_two_equal_ones_neither():
    a, b, odd = info("a", lr="1"), info("b", lr="1"), info("odd", lr="2")
    assert outvoted(odd, a, b) == ["a", "b"]
    assert not outvoted(a, b, odd)
    assert not outvoted(a, odd)
    assert not outvoted(odd, a)
    assert not outvoted(a)


def test_another_number_of_local_steps_is_said_and_no_more():
    view = {"a": info("a"), "b": replace(info("b"), local_steps=3)}
    assert apart(view, "a") == {
        "b": "makes 3 local steps a round, this agent 0: set local_steps for the same at every site"
    }
    assert compatible(view["a"], view["b"])


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
