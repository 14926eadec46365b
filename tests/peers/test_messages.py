from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save

from parse_dfl.peers.authority import Reason, Rejected
from parse_dfl.peers.messages import MAGIC, Schema, decode, encode, most_bytes
from tests.peers.trust import HEADER, NOBODY, SCHEMA, TENSORS, make_agent, message

LIMIT = 100_000
GOOD = message()


def refused(reason, call, *arguments, **named):
    with pytest.raises(Rejected) as caught:
        call(*arguments, **named)
    assert caught.value.reason is reason
    return caught.value.detail


def framed(header, payload=b"", *, version=1, part=0):
    prefix = MAGIC + bytes([version, part]) + len(header).to_bytes(2, "big")
    return prefix + header + payload


def canonical(**changes):
    values = asdict(HEADER) | changes
    return json.dumps(values, sort_keys=True, separators=(",", ":")).encode()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_is_sent_arrives(dtype):
    tensors = {
        "theta": torch.randn(7, dtype=dtype),
        "second": torch.rand(2, 3, dtype=dtype),
        "none": torch.zeros(0, dtype=dtype),
    }
    schema = Schema.of(tensors)
    header = replace(HEADER, schema=schema.digest)
    arrived = decode(encode(header, tensors, NOBODY), limit_bytes=LIMIT)
    assert arrived.header == header
    assert not arrived.is_signed
    found = arrived.tensors(schema)
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)


def test_a_payload_is_what_safetensors_writes():
    tensors = {"b": torch.randn(3, 2), "a": torch.rand(5).double(), "ü": torch.zeros(2, 0)}
    payload = b"".join(Schema.of(tensors).payload(tensors))
    assert payload == save(tensors)
    found = load(payload)
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)


def test_views_that_are_not_contiguous_are_sent_as_they_look():
    tensors = {"theta": torch.arange(12.0).reshape(3, 4).T}
    schema = Schema.of(tensors)
    found = schema.read(memoryview(b"".join(schema.payload(tensors))))
    assert torch.equal(found["theta"], tensors["theta"])


def test_a_signed_message_names_its_sender_by_fingerprint(tmp_path):
    agent, other = make_agent(tmp_path), make_agent(tmp_path, "acc-1")
    arrived = decode(message(agent), limit_bytes=LIMIT)
    assert arrived.fingerprint == agent.fingerprint
    arrived.verify(agent.verified)
    assert "acc-1 signed a message of 'acc-0'" in refused(
        Reason.SENDER, arrived.verify, other.verified
    )
    altered = bytearray(message(agent))
    altered[150] ^= 1
    with pytest.raises(Rejected):
        decode(bytes(altered), limit_bytes=LIMIT).verify(agent.verified)


def test_framing_of_a_default_branch_is_small(tmp_path):
    """The constant a message that docs/protocol.md states."""
    tensors = {"theta": torch.randn(4000)}
    schema = Schema.of(tensors)
    header = replace(HEADER, schema=schema.digest, branch="acc+gyro/synergy/0123abcd")
    sent = encode(header, tensors, make_agent(tmp_path))
    assert len(sent) - schema.payload_bytes < 400
    assert len(sent) < most_bytes(schema)


def test_the_size_is_bounded_first():
    assert "are the most" in refused(Reason.SIZE, decode, GOOD, limit_bytes=len(GOOD) - 1)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PDFL",
        b"HTTP/1.1 200",
        GOOD[:20],
        framed(b"x" * 3000),
        framed(canonical(), part=7),
        framed(canonical(), part=96),
        framed(b"no json"),
        framed(b"\xff\xfe"),
        framed(b"[" * 2000),
        framed(b"[]"),
        framed(b"{}"),
        framed(canonical(more=1)),
        framed(canonical(round="5")),
        framed(canonical(round=True)),
        framed(canonical(round=-1)),
        framed(canonical(degree=2**60)),
        framed(canonical(sender="a/b")),
        framed(canonical(federation="")),
        framed(canonical(label="two\nlines")),
        framed(canonical(branch="x" * 300)),
        framed(canonical() + b" "),
        framed(canonical().replace(b":5", b":5.0")),
    ],
)
def test_what_is_no_message(data):
    refused(Reason.FRAMING, decode, data, limit_bytes=LIMIT)


def test_another_version():
    assert "version 2, where 1 is spoken" in refused(
        Reason.VERSION, decode, framed(canonical(), version=2), limit_bytes=LIMIT
    )


def test_a_header_that_none_would_read_is_not_sent():
    with pytest.raises(Rejected, match="the label in the header is no short text"):
        message(label="x" * 300)


@pytest.mark.parametrize(
    ("tensors", "reason"),
    [
        ({"phi": torch.zeros(6)}, Reason.SCHEMA),
        ({**TENSORS, "more": torch.zeros(1)}, Reason.SCHEMA),
        ({}, Reason.SCHEMA),
        ({"theta": torch.zeros(6, dtype=torch.float64)}, Reason.DTYPE),
        ({"theta": torch.zeros(3, 2)}, Reason.SHAPE),
        ({"theta": torch.zeros(7)}, Reason.SHAPE),
        ({"theta": torch.full((6,), torch.nan)}, Reason.VALUES),
        ({"theta": torch.full((6,), -torch.inf)}, Reason.VALUES),
    ],
)
def test_other_tensors_than_expected(tensors, reason):
    """A attacker's header claims the expected schema."""
    arrived = decode(message(tensors=tensors), limit_bytes=LIMIT)
    refused(reason, arrived.tensors, SCHEMA)


def test_another_schema_is_seen_in_the_header():
    arrived = decode(message(schema="0" * 16), limit_bytes=LIMIT)
    refused(Reason.SCHEMA, arrived.tensors, SCHEMA)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        SCHEMA.layout[:30],
        SCHEMA.layout,
        SCHEMA.layout + bytes(23),
        b"short",
        (2**60).to_bytes(8, "little") + bytes(100),
        (3).to_bytes(8, "little") + b"{x}",
        (3).to_bytes(8, "little") + b'"a"',
    ],
)
def test_payloads_that_are_none(payload):
    arrived = decode(framed(canonical(), payload), limit_bytes=LIMIT)
    refused(Reason.FRAMING, arrived.tensors, SCHEMA)


def layout(**changes):
    told = {"dtype": "F32", "shape": [6], "data_offsets": [0, 24]} | changes
    text = json.dumps({"theta": told}).encode()
    return framed(canonical(), len(text).to_bytes(8, "little") + text + bytes(24))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"data_offsets": [0, 2**62]}, Reason.FRAMING),
        ({"data_offsets": [-1, 23]}, Reason.FRAMING),
        ({"data_offsets": None}, Reason.FRAMING),
        ({"shape": [2**40]}, Reason.SHAPE),
        ({"shape": [True]}, Reason.SHAPE),
        ({"shape": None}, Reason.SHAPE),
        ({"dtype": "F16"}, Reason.DTYPE),
    ],
)
def test_layouts_that_lie(changes, reason):
    refused(reason, decode(layout(**changes), limit_bytes=LIMIT).tensors, SCHEMA)


def test_tensors_with_bytes_to_spare():
    arrived = decode(GOOD + b"\0" * 8, limit_bytes=LIMIT)
    assert "another length" in refused(Reason.FRAMING, arrived.tensors, SCHEMA)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.booleans())
def test_random_bytes_are_refused(data, begins_well):
    data = GOOD[:8] + data if begins_well else data
    with pytest.raises(Rejected):
        decode(data, limit_bytes=LIMIT).tensors(SCHEMA)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_altered_messages_are_read_or_refused(data):
    altered = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(altered) - 1))
        altered[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(altered)))
    try:
        found = decode(bytes(altered[:cut]), limit_bytes=LIMIT).tensors(SCHEMA)
    except Rejected:
        return
    assert found["theta"].shape == (6,)
    assert torch.isfinite(found["theta"]).all()
