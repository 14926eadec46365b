"""Topologies, partitions, attackers and changes as objects: one text form each."""

from __future__ import annotations

import pytest

from parse_dfl import (
    IID,
    Attacker,
    BySubject,
    ChordalRing,
    Complete,
    ConfigError,
    Dirichlet,
    ErdosRenyi,
    Exponential,
    ModalityChange,
    OnePeerExponential,
    RandomMatching,
    Regular,
    Ring,
    ScaleFree,
    SmallWorld,
)
from parse_dfl.config.partition import Partition
from parse_dfl.config.topology import TOPOLOGY_RULES, GraphFile, OwnTopology, TopologyRule

TOPOLOGIES = {
    Ring(): "ring",
    ChordalRing(): "chordal-ring",
    ChordalRing(3): "chordal-ring:3",
    Regular(degree=4): "regular:4",
    ErdosRenyi(0.25): "erdos-renyi:0.25",
    SmallWorld(6, 0.2): "small-world:6:0.2",
    ScaleFree(): "scale-free:2",
    Exponential(): "exponential",
    OnePeerExponential(): "one-peer-exponential",
    RandomMatching(): "random-matching",
    Complete(): "full",
    GraphFile("a/b.txt"): "file:a/b.txt",
    OwnTopology("star"): "own:star",
}


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_a_topology_knows_its_text(topology):
    assert str(topology) == TOPOLOGIES[topology]
    assert TopologyRule.from_string(TOPOLOGIES[topology]) == topology


def test_every_named_topology_is_an_object():
    assert {text.partition(":")[0] for text in TOPOLOGIES.values()} == set(TOPOLOGY_RULES)


def test_every_partition_is_an_object():
    texts = [str(IID()), str(Dirichlet(0.3)), str(BySubject())]
    assert texts == ["iid", "dirichlet:0.3", "subject"]
    assert [str(Partition.from_string(text)) for text in texts] == texts
    assert str(Dirichlet(1)) == "dirichlet:1"
    assert float(str(Dirichlet(0.1 + 0.2)).partition(":")[2]) == 0.1 + 0.2


@pytest.mark.parametrize(
    "build",
    [
        lambda: Regular(1),
        lambda: Regular(2.5),
        lambda: Regular("four"),
        lambda: ErdosRenyi(2),
        lambda: SmallWorld(3),
        lambda: Dirichlet(0),
        lambda: Dirichlet("0.3"),
        lambda: Dirichlet(float("nan")),
        lambda: Attacker(agent="a-0", attack="sgin-flip"),
        lambda: Attacker(agent="a-0", attack="scale", strength=0),
        lambda: Attacker(agent="a-0", attack="scale", strength="much"),
        lambda: ModalityChange(round=3, agent="a-0"),
        lambda: ModalityChange(round=3, agent="a-0", gains="b", loses="a"),
        lambda: ModalityChange(round=0, agent="a-0", gains="b"),
        lambda: ModalityChange(round=1.5, agent="a-0", gains="b"),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_built(build):
    with pytest.raises(ConfigError):
        build()


def test_attackers_and_changes_know_their_text():
    assert str(Attacker(agent="a-0", attack="scale", strength=2.5)) == "a-0:scale:2.5"
    assert str(Attacker(agent="a-0", attack="random")) == "a-0:random"
    assert str(ModalityChange(round=4, agent="a-0", gains="b")) == "4:a-0:+b"
    assert str(ModalityChange(round=4, agent="a-0", loses="b")) == "4:a-0:-b"
