"""Agreement on the standardisation between agents of one process, each in a thread."""

from __future__ import annotations

from dataclasses import replace
from threading import Condition, Thread

import numpy as np
import pytest
import torch

from parse_dfl.config import PeerConfig
from parse_dfl.engine.gossip_standardisation import agree
from parse_dfl.overlays.topologies import Topology
from parse_dfl.peers.agreement import MomentsAgreement
from parse_dfl.peers.announcement import PeerInfo
from parse_dfl.peers.delivery import Receiver, Sender
from parse_dfl.peers.identity import Insecure
from parse_dfl.peers.messages import Header, Schema, encode
from parse_dfl.peers.round_sync import round_filter
from parse_dfl.peers.transport import Topics
from parse_dfl.peers.validation import MessageValidator
from tests.peers.fake_network import FakeNetwork
from tests.small import federation, small_data

TOPICS = Topics("demo")
DATA = small_data()
NAMES = ("a-0", "a-1", "a+b-0", "a+b-1", "b-0")
DEADLINE_S = 60.0
STEPS = 12


class Everybody:
    """A membership in which all that were announced are alive."""

    def __init__(self):
        self.infos = {}

    def view(self):
        return dict(self.infos)


class Peer:
    """One agent of the federation, without a node."""

    def __init__(self, name, network, everybody, *, topology="ring", deadline_s=DEADLINE_S):
        group, _, number = name.rpartition("-")
        self.name, self.notes, self.everybody = name, [], everybody
        self.trainer = federation(agents=f"{group}={int(number) + 1}", data=DATA, rounds=3).trainer
        shard = [own for own in self.trainer.agent_data if own.agent.name == name]
        self.trainer.agent_data, self.shard = shard, shard[0]
        self.trainer.layout = self.trainer._build_layout()
        everybody.infos[name] = PeerInfo(
            name=name, seed=0, modalities=shard[0].agent.modalities, samples=12,
            branches=(), created_ns=0,
        )  # fmt: skip
        settings = PeerConfig(deadline_s=deadline_s)
        transport, identity = network.transport(), Insecure(name, "demo")
        self.validator = MessageValidator(
            federation="demo", name=name, authority=None, rounds=round_filter(settings)
        )
        self.agreement = MomentsAgreement(
            self.trainer,
            Sender(transport, TOPICS, identity, kept_rounds=settings.window, resend_s=1.0),
            Receiver(transport, everybody, self.validator, TOPICS, name, Condition(), settings),
            self.validator,
            Topology.of(topology),
            steps=STEPS,
        )
        self.thread = Thread(target=self._agree, args=(set(),), daemon=True)

    def _agree(self, agreed):
        self.agreement.agree(self.everybody.view(), agreed, self.notes.append)

    def mean(self, modality):
        """By what mean the samples are standardised."""
        return self.trainer.layout.stacks[0].data.standardisers[0][modality].mean

    def refused(self):
        return self.validator.report(0.0)["unverified"] | self.validator.report(0.0)["refused"]


def start(names=NAMES, network=None, **options):
    network, everybody = network or FakeNetwork(), Everybody()
    peers = [Peer(name, network, everybody, **options) for name in names]
    for peer in peers:
        peer.thread.start()
    for peer in peers:
        peer.thread.join()
    return peers


def simulated(peers, topology="ring"):
    return agree(DATA, [peer.shard for peer in peers], Topology.of(topology), STEPS)


def assert_as_simulated(peers, topology="ring"):
    shards, payload = simulated(peers, topology)
    for peer, shard in zip(peers, shards, strict=True):
        own = peer.trainer.layout.stacks[0].data.standardisers[0]
        for modality, standardiser in shard.standardisers.items():
            assert np.allclose(own[modality].mean, standardiser.mean, rtol=0, atol=1e-12)
            assert np.allclose(own[modality].scale, standardiser.scale, rtol=1e-12)
    sent = [size for peer in peers for size in peer.agreement.payload_bytes.values()]
    assert (sum(sent), len(sent), max(sent)) == (
        payload.total_bytes,
        payload.links,
        payload.largest_bytes,
    )


@pytest.mark.parametrize("topology", ["ring", "full", "one-peer-exponential", "random-matching"])
def test_peers_agree_on_what_the_simulator_agrees_on(topology):
    peers = start(topology=topology)
    assert_as_simulated(peers, topology)
    assert not any(peer.notes for peer in peers)


def test_lost_messages_are_asked_for_again():
    lost = set()

    def once_in_a_while(key, data):
        if len(lost) < 4 and key not in lost:
            lost.add(key)
            return None
        return data

    assert_as_simulated(start(network=FakeNetwork(once_in_a_while)))
    assert len(lost) == 4


def test_a_sole_owner_keeps_its_own_moments_and_says_nothing():
    (peer,) = start(["a-0"])
    own = DATA.modalities["a"][peer.shard.indices].mean(axis=0)
    assert np.allclose(peer.mean("a"), own)
    assert not peer.notes
    assert not peer.agreement.payload_bytes


def test_a_latecomer_takes_what_its_neighbours_hold_and_changes_nothing():
    network, everybody = FakeNetwork(), Everybody()
    peers = [Peer(name, network, everybody, topology="full") for name in ("a-0", "a-1")]
    for peer in peers:
        peer.thread.start()
    for peer in peers:
        peer.thread.join()
    before = [peer.mean("a").copy() for peer in peers]
    late = Peer("a-2", network, everybody, topology="full")
    late._agree({"a-0", "a-1"})
    assert np.allclose(late.mean("a"), before[0], atol=1e-2)
    assert all(np.array_equal(peer.mean("a"), old) for peer, old in zip(peers, before, strict=True))
    assert not late.notes


def test_one_that_nobody_hears_takes_what_they_hold_once_they_have_agreed():
    network, everybody = FakeNetwork(), Everybody()
    peers = [Peer(name, network, everybody, topology="full") for name in ("a-0", "a-1")]
    for peer in peers:
        peer.thread.start()
    for peer in peers:
        peer.thread.join()
    unseen = Peer("a-2", network, everybody, topology="full", deadline_s=0.5)
    unseen._agree(set())  # it did not hear that they had
    assert np.allclose(unseen.mean("a"), peers[0].mean("a"), atol=1e-2)


def test_where_nobody_answers_the_own_moments_stay_and_it_is_said():
    network, everybody = FakeNetwork(), Everybody()
    alone, silent = (Peer(name, network, everybody, deadline_s=0.2) for name in ("a-0", "a-1"))
    del silent
    alone._agree(set())
    own = DATA.modalities["a"][alone.shard.indices].mean(axis=0)
    assert np.allclose(alone.mean("a"), own)
    assert alone.notes == [
        "no owner of a was heard: it is standardised by this agent's samples alone"
    ]


def test_after_a_restart_the_moments_of_the_checkpoint_hold():
    first, second = start(["a-0", "a-1"])
    again = Peer("a-0", FakeNetwork(), Everybody())
    assert not again.agreement.done
    again.agreement.restore(first.agreement.rows())
    assert again.agreement.done
    assert np.array_equal(again.mean("a"), first.mean("a"))
    assert np.allclose(again.mean("a"), second.mean("a"), atol=1e-2)


def forged(row, **changes):
    tensors = {"moments": torch.tensor(row, dtype=torch.float64)}
    header = Header(
        federation="demo", sender="a-1", branch="a/moments/7", label="a", round=1, degree=1,
        samples=12, schema=Schema.of(tensors).digest,
    )  # fmt: skip
    return encode(replace(header, **changes), tensors, Insecure("a-1", "demo"))


GOOD = [12.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0]


@pytest.mark.parametrize(
    ("row", "changes", "reason"),
    [
        ([12.0, float("nan"), *GOOD[2:]], {}, "values"),
        ([float("inf"), *GOOD[1:]], {}, "values"),
        ([-12.0, *GOOD[1:]], {}, "values"),
        ([0.0, *GOOD[1:]], {}, "values"),
        ([*GOOD[:6], -1e-9], {}, "values"),
        (GOOD[:5], {}, "schema"),
        (GOOD, {"branch": "a/moments/5"}, "branch"),
        (GOOD, {"sender": "stranger"}, "sender"),
        (GOOD, {"round": 90}, "round"),
        (GOOD, {"federation": "other"}, "federation"),
    ],
)
def test_moments_that_cannot_be_are_refused_counted_and_harm_nobody(row, changes, reason):
    network, everybody = FakeNetwork(), Everybody()
    peers = [Peer(name, network, everybody) for name in ("a-0", "a-1", "a-2")]
    bad, sent = forged(row, **changes), []

    def with_a_forged_one(key, data):
        take = network.listeners.get(key)
        if take and key.startswith("demo/slices/a-0/a-1/") and not sent:
            sent.append(key)
            take(key, bad)
        return data

    network.pass_on = with_a_forged_one
    for peer in peers:
        peer.thread.start()
    for peer in peers:
        peer.thread.join()
    assert_as_simulated(peers)
    counted = list(peers[0].refused().values())
    assert counted == [{reason: 1}]


def test_moments_are_kept_under_a_step_that_comes_after_all_others():
    first, _ = start(["a-0", "a-1"])
    key = TOPICS.again(sender="a-0", to="late", branch="a/moments/7", round=STEPS + 1)
    assert first.agreement.sender._again(key) is not None
