from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parse_dfl.branches import Branch
from parse_dfl.peers.announcement import PeerInfo, seal
from parse_dfl.peers.authority import Reason, Rejected
from parse_dfl.peers.certificates import create_ca, issue
from parse_dfl.peers.identity import Identity, Insecure

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
    import time

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
