"""Tests."""

from __future__ import annotations

import pytest
import torch

from parse_dfl.byzantine import Attacker
from parse_dfl.engine.gossip import Gossip, InProcessChannel, Payload, attack
from tests.small import federation, rows_of, run_rounds

HONEST = torch.tensor([3.0, -4.0], dtype=torch.float64)


def test_what_liars_send():
    assert attack(Attacker.from_string("a-0:sign-flip"), HONEST).tolist() == [-3, 4]
    assert attack(Attacker.from_string("a-0:scale"), HONEST).tolist() == [30, -40]
    noise = attack(Attacker.from_string("a-0:random:2"), torch.full((4000,), 3.0), "round", 1)
    assert float(noise.std()) == pytest.approx(6, rel=0.05)
    assert float(noise.mean()) == pytest.approx(0, abs=0.4)


def test_random_lies_repeat_and_differ_by_round():
    attacker = Attacker.from_string("a-0:random")
    first, again, other = (attack(attacker, HONEST, number) for number in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def one_round(**settings):
    return rows_of(run_rounds(federation(agents="a=4", **settings), 1))


def test_neighbours_get_the_lie_and_the_liar_stays_honest():
    honest, lied = (
        one_round(topology="full"),
        one_round(topology="full", attackers=["a-0:sign-flip"]),
    )
    for (seed, name, branch), row in honest.items():
        changed = not torch.equal(lied[seed, name, branch], row)
        assert changed is (name != "a-0")


@pytest.mark.parametrize("method", ["harmony", "gradient-surgery", "sheaf-dmfl"])
def test_other_rules_are_lied_to_as_well(method):
    """All that crosses an edge is false; what an exchange remembers is written once."""
    settings = {"method": method, "agents": "a+b=4", "topology": "full"}
    honest, lied = (
        run_rounds(federation(**settings, attackers=attackers), 4)
        for attackers in ([], ["a+b-1:scale:3"])
    )
    rows = [rows_of(simulator) for simulator in (honest, lied)]
    assert any(not torch.equal(rows[0][place], rows[1][place]) for place in rows[0])
    for before, after in zip(
        honest.layout.branches.values(), lied.layout.branches.values(), strict=True
    ):
        assert before.memory.keys() == after.memory.keys()
        assert all(before.memory[n].shape == after.memory[n].shape for n in before.memory)


@pytest.mark.parametrize("robust", ["clipping:radius=0.01", "balance:gamma=0.001", "trimmed-mean"])
def test_robust_mixing_is_at_work_where_nobody_lies(robust):
    """Nobody tells an agent whether its neighbours lie."""
    plain, guarded = one_round(topology="full"), one_round(topology="full", robust=robust)
    assert all(not torch.equal(plain[place], guarded[place]) for place in plain)


def test_robust_mixing_holds_what_the_mean_loses():
    def spread(robust, attackers=("a-0:scale:100",)):
        rows = one_round(topology="full", robust=robust, attackers=attackers)
        return max(float(row.abs().max()) for place, row in rows.items() if place[1] != "a-0")

    honest = spread("none", attackers=())
    assert spread("none") > 10 * honest
    for robust in ("clipping", "balance", "trimmed-mean"):
        assert spread(robust) < 2 * honest


def test_robust_mixing_is_used_also_when_nobody_lies():
    settings = {"agents": "a=5", "topology": "full"}
    plain = rows_of(run_rounds(federation("dsgd-hybrid", **settings), 1))
    trimmed = rows_of(run_rounds(federation("dsgd-hybrid", robust="trimmed-mean", **settings), 1))
    assert not any(torch.allclose(trimmed[key], row) for key, row in plain.items())


def widths(simulator):
    return {branch.label: rows.width for branch, rows in simulator.layout.branches.items()}


def test_a_ring_of_equal_agents_sends_its_whole_model_over_every_link():
    simulator = federation("dsgd-task", agents="a=5")
    model = 4 * sum(widths(simulator).values())
    assert simulator.payload() == Payload(5 * 2 * model, 10, model)


@pytest.mark.parametrize(("method", "factor"), [("dsgd-hybrid", 1), ("gradient-surgery", 2)])
def test_surgery_sends_updates_too(method, factor):
    simulator = federation(method, agents="a=4")
    assert simulator.payload().largest_bytes == factor * 4 * sum(widths(simulator).values())


def test_shared_moments_double_the_payload():
    plain, shared = (federation(share_moments=name).payload() for name in ("none", "second"))
    assert shared.total_bytes == 2 * plain.total_bytes
    assert shared.links == plain.links


def test_a_sheaf_sends_projections_of_heads():
    simulator = federation("sheaf-dmfl", agents="a=3")
    width = widths(simulator)
    expected = 4 * (width["a/encoder"] + min(64, width["any/head"]))
    assert simulator.payload().largest_bytes == expected


def test_nobody_sends_anything_in_local_training():
    payload = federation("local").payload()
    assert payload == Payload(0, 0, 0)
    assert payload.mean_bytes == 0.0


def test_absent_agents_send_nothing():
    simulator = run_rounds(federation(absence=0.5, agents="a=6"), 1)
    full = federation(agents="a=6").payload()
    assert simulator.payload().total_bytes < full.total_bytes


class Lossy(InProcessChannel):
    """A channel on which nothing arrives of the branches of one component."""

    def __init__(self, mixing_of, lost):
        super().__init__(mixing_of)
        self.lost, self.delivered = lost, 0

    def link(self, rows):
        link = super().link(rows)
        if rows.branch.component == self.lost:
            link.incoming = lambda: None
        return link

    def deliver(self):
        self.delivered += 1


@pytest.mark.parametrize("method", ["dsgd-hybrid", "gradient-surgery"])
def test_only_rows_of_which_something_arrived_are_replaced(method):
    simulator = federation(method, agents="a=4", lr=0.1)
    simulator.trainer.begin_round()
    simulator.trainer.train(set())
    before = rows_of(simulator)
    channel = Lossy(simulator._mixing_of(1, set()), lost="head")
    Gossip(share_second=False).step(simulator.layout.branches, simulator.stage, channel, round=1)
    assert channel.delivered == 1
    for (_, _, branch), same in {
        key: torch.equal(row, before[key]) for key, row in rows_of(simulator).items()
    }.items():
        assert same == ("/head" in branch)
