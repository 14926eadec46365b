from __future__ import annotations

import pytest
import torch

from parse_dfl.liars import parse_liar
from parse_dfl.simulation.attacks import attack
from tests.small import federation, rows_of, run_rounds

HONEST = torch.tensor([3.0, -4.0], dtype=torch.float64)


def test_what_liars_send():
    assert attack(parse_liar("a-0:sign-flip"), HONEST).tolist() == [-3, 4]
    assert attack(parse_liar("a-0:scale"), HONEST).tolist() == [30, -40]
    noise = attack(parse_liar("a-0:random:2"), torch.full((4000,), 3.0), "round", 1)
    assert float(noise.std()) == pytest.approx(6, rel=0.05)
    assert float(noise.mean()) == pytest.approx(0, abs=0.4)


def test_random_lies_repeat_and_differ_by_round():
    liar = parse_liar("a-0:random")
    first, again, other = (attack(liar, HONEST, number) for number in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def one_round(**settings):
    return rows_of(run_rounds(federation(agents="a=4", **settings), 1))


def test_neighbours_get_the_lie_and_the_liar_stays_honest():
    honest, lied = one_round(topology="full"), one_round(topology="full", liars=["a-0:sign-flip"])
    for (seed, name, branch), row in honest.items():
        changed = not torch.equal(lied[seed, name, branch], row)
        assert changed is (name != "a-0")


@pytest.mark.parametrize("method", ["harmony", "gradient-surgery", "sheaf-dmfl"])
def test_other_rules_are_lied_to_as_well(method):
    """All that crosses an edge is false; what an exchange remembers is written once."""
    settings = {"method": method, "agents": "a+b=4", "topology": "full"}
    honest, lied = (
        run_rounds(federation(**settings, liars=liars), 4) for liars in ([], ["a+b-1:scale:3"])
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
    def spread(robust, liars=("a-0:scale:100",)):
        rows = one_round(topology="full", robust=robust, liars=liars)
        return max(float(row.abs().max()) for place, row in rows.items() if place[1] != "a-0")

    honest = spread("none", liars=())
    assert spread("none") > 10 * honest
    for robust in ("clipping", "balance", "trimmed-mean"):
        assert spread(robust) < 2 * honest


def test_robust_mixing_is_used_also_when_nobody_lies():
    settings = {"agents": "a=5", "topology": "full"}
    plain = rows_of(run_rounds(federation("dsgd-hybrid", **settings), 1))
    trimmed = rows_of(run_rounds(federation("dsgd-hybrid", robust="trimmed-mean", **settings), 1))
    assert not any(torch.allclose(trimmed[key], row) for key, row in plain.items())
