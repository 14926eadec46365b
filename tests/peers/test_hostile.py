"""A certified member that sends rubbish: it is counted by reason, ignored, and harms nobody."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from threading import Condition

import pytest
import torch

from parse_dfl.peers.announcement import PeerInfo
from parse_dfl.peers.connect import open_transport
from parse_dfl.peers.identity import Identity, Insecure
from parse_dfl.peers.membership import Membership
from parse_dfl.peers.messages import Header, Schema, encode
from parse_dfl.peers.round_sync import Stop
from parse_dfl.peers.transport import LinkSettings, Topics
from parse_dfl.runs.launcher import Launcher
from parse_dfl.runs.node import terms_of
from parse_dfl.runs.setup import build_trial, prepare
from tests.peers.crowd import crowd, tiny

HONEST = ["bottom+top-0", "bottom+top-1", "bottom+top-2"]
MALLORY = "mallory"
KINDS = ("random", "nan", "shape", "stale", "name", "unsigned", "schema", "key", "branch")
TOO_LONG_BYTES = 50 << 20
WINDOW = 1000
"""Rounds: the honest may be far ahead of what the test has heard of them."""

LEARNT = 0.65
"""The accuracy on digits, of which a tenth is chance, that the honest train on to."""
REASONS = {"framing", "values", "schema", "round", "sender", "uncertified", "branch"}
"""What the kinds are refused for; a wrong shape has another schema."""


class Mallory:
    """A member with a good certificate and bad manners, in the test's own process."""

    def __init__(self, fleet: Launcher, widths: dict[str, int], terms: Mapping[str, str]) -> None:
        self.identity = Identity.load(fleet._certificates(MALLORY))
        self.keys = Topics(self.identity.federation)
        self.widths, self.terms = widths, terms
        link = LinkSettings(
            listen=[fleet.addresses[MALLORY]],
            connect=[fleet.addresses[HONEST[0]]],
            limit_bytes=1 << 26,
        )
        self.transport = open_transport(link, self.identity, wait_s=60, stop=Stop())
        self.membership = Membership(
            self.transport, self.keys, self.identity, self.identity.authority(), Condition()
        )

    def join(self) -> None:
        """Announce what honest members have, once they are seen."""
        nobody = PeerInfo(
            name=MALLORY, seed=0, modalities=("nothing",), samples=1, branches=(), created_ns=0,
            terms=self.terms,
        )  # fmt: skip
        self.membership.join(nobody)
        assert self.membership.wait(lambda view: HONEST[0] in view, timeout_s=60)
        self.membership.announce(replace(self.membership.view()[HONEST[0]], name=MALLORY))

    def message(self, branch: str, kind: str, round: int) -> bytes:
        """A message that is wrong in one way."""
        if kind == "random":
            return torch.randint(256, (4000,), dtype=torch.uint8).numpy().tobytes()
        width = self.widths[branch] + (kind == "shape")
        theta = torch.full((width,), math.nan if kind == "nan" else 1e6)
        tensors = {"other" if kind == "schema" else "theta": theta}
        header = Header(
            federation=self.identity.federation,
            sender=HONEST[1] if kind == "name" else MALLORY,
            branch="x/y/z" if kind == "branch" else branch,
            label="any",
            round=round + 100 * WINDOW if kind == "stale" else round,
            degree=1,
            samples=1,
            schema=Schema.of(tensors).digest,
        )
        signer = Insecure(MALLORY, "demo") if kind == "unsigned" else self.identity
        return encode(header, tensors, signer)

    def send(self, kind: str, round: int) -> None:
        """To every honest member, as each of the branches; under another's key if asked."""
        for to in HONEST:
            for branch in self.widths:
                sender = MALLORY if kind != "key" else next(n for n in HONEST if n != to)
                key = self.keys.slice(to=to, sender=sender, branch=branch)
                self.transport.send(key, self.message(branch, kind, round))


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What the honest told at their end."""
    folder = tmp_path_factory.mktemp("hostile")
    config = tiny(
        agents="bottom+top=3",
        data__samples_per_agent="60",
        overlay__topology="full",
        training__rounds=100_000,
        peer__window=WINDOW,
        eval_every=1,
    )
    with Launcher(config, folder) as fleet, crowd(fleet, [*HONEST, MALLORY], folder) as peers:
        peers.start(HONEST, wait_for=3)
        peers.wait(peers.reached(1, HONEST))
        mallory = Mallory(fleet, _widths(config), _terms(config))
        mallory.join()
        peers.wait(lambda: all(MALLORY in str(peers.rounds(n)[-1]["neighbours"]) for n in HONEST))
        for kind in (*KINDS, *["nan"] * 8):
            mallory.send(kind, max(peers.round(name) for name in HONEST))
            seen = {name: peers.round(name) for name in HONEST}
            peers.wait(lambda seen=seen: any(peers.round(n) > seen[n] for n in HONEST))
        mallory.transport.send(
            mallory.keys.slice(to=HONEST[0], sender=MALLORY, branch=next(iter(mallory.widths))),
            bytes(TOO_LONG_BYTES),
        )
        peers.wait(lambda: all(_accuracy(peers.rounds(name)) > LEARNT for name in HONEST))
        last = max(peers.round(name) for name in HONEST) + 3
        for name in HONEST:
            fleet.tell(name, stop_after=last)
        peers.wait(peers.all_done(HONEST))
        mallory.transport.close()
        return {
            name: {
                **peers.done(name),
                "scores": peers.rounds(name)[-1]["scores"],
                "received": [report["received_bytes"] for report in peers.rounds(name)],
            }
            for name in HONEST
        }


def _accuracy(rounds):
    return rounds[-1]["scores"]["accuracy"]


def _terms(config):
    found = prepare(config, [0])
    return terms_of(config, found.data, lr=found.method.lr)


def _widths(config):
    layout = build_trial(config, [0]).simulator.layout
    # Without gates: more rubbish would have Mallory ignored before it has sent every kind.
    return {
        str(branch): rows.width
        for branch, rows in layout.branches.items()
        if branch.component != "gate"
    }


def test_the_honest_learn_all_the_same(told):
    assert all(math.isfinite(done["scores"]["loss"]) for done in told.values())
    assert all(done["scores"]["accuracy"] > LEARNT - 0.15 for done in told.values())


def test_a_message_that_is_far_too_long_never_arrives(told):
    for done in told.values():
        steps = [after - before for before, after in pairwise(done["received"])]
        assert max(steps) < TOO_LONG_BYTES


def test_every_kind_of_rubbish_is_counted_for_its_reason(told):
    for done in told.values():
        validator = done["validator"]
        accounts = [*validator["refused"].values(), *validator["unverified"].values()]
        reasons = {reason for account in accounts for reason in account}
        assert reasons >= REASONS
        assert MALLORY not in validator["accepted"]


def test_a_sender_that_keeps_on_is_ignored_and_nobody_else_is(told):
    for done in told.values():
        assert "ignored" in done["validator"]["unverified"].get(MALLORY, {})
        assert set(done["validator"]["ignored_s"]) <= {MALLORY}
        assert set(done["validator"]["refused"]) <= {MALLORY}
