"""A federation's authority and agents for tests, and messages of theirs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import torch

from parse_dfl.peers import certificates
from parse_dfl.peers.identity import Identity, Insecure
from parse_dfl.peers.messages import Header, Schema, encode

DAY_S = 86400.0
BRANCH = "acc/backbone/0123abcd"
TENSORS = {"theta": torch.arange(6, dtype=torch.float32)}
SCHEMA = Schema.of(TENSORS)
HEADER = Header(
    federation="demo",
    sender="acc-0",
    branch=BRANCH,
    label="acc",
    round=5,
    degree=2,
    samples=64,
    schema=SCHEMA.digest,
)
NOBODY = Insecure("acc-0", "demo")


def make_agent(folder, name="acc-0", *, federation="demo", days=10, ca=None):
    """An agent's identity, issued by the authority in ``folder/ca``, made if it is missing."""
    ca = ca or folder / "ca"
    if not ca.exists():
        certificates.create_ca(ca, federation=federation, days=100)
    issued = certificates.issue(ca, name, hosts=["localhost"], days=days, out=folder)
    return Identity.load(issued)


def at(monkeypatch, days):
    """Let certificates be made as if so many days had passed."""
    moment = datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
    monkeypatch.setattr(certificates, "_now", lambda: moment)


def message(identity=NOBODY, *, tensors=TENSORS, **changes):
    """An encoded message; ``changes`` are the header's."""
    return encode(replace(HEADER, **changes), tensors, identity)
