from __future__ import annotations

import numpy as np
import pytest
import torch

from parse_dfl.methods.base import hybrid
from parse_dfl.methods.dsgd import ProjectConflicts, dsgd, gradient_surgery
from parse_dfl.networks.baselines import MonolithicNetwork
from tests.federation import GivenRows, mixing_over, thetas, tiny_simulator

ALL, GROUPS, NOBODY = "all", "groups", "nobody"
WHO = {
    "local": {"encoder": NOBODY, "fusion": NOBODY, "head": NOBODY},
    "dsgd-task": {"encoder": GROUPS, "fusion": GROUPS, "head": GROUPS},
    "dsgd-modality": {"encoder": ALL, "fusion": NOBODY, "head": NOBODY},
    "dsgd-hybrid": {"encoder": ALL, "fusion": GROUPS, "head": GROUPS},
}


def apart(rows):
    """The largest distance between two rows."""
    stacked = torch.stack(list(rows))
    return float((stacked - stacked[0]).abs().max())


@pytest.mark.parametrize("name", WHO)
def test_a_full_overlay_makes_exactly_the_sharers_of_a_branch_equal(name):
    method = dsgd(name)
    assert (method.name, method.network) == (name, MonolithicNetwork)
    simulator = tiny_simulator(method, "a=2,b=2,a+b=2", topology="full")
    simulator.step()
    for component, who in WHO[name].items():
        for rows in thetas(simulator, component).values():
            groups = {}
            for agent, row in rows.items():
                groups.setdefault(agent.rpartition("-")[0], []).append(row)
            assert all((apart(own) < 1e-12) == (who != NOBODY) for own in groups.values())
            if len(groups) > 1:
                assert (apart(rows.values()) < 1e-12) == (who == ALL)


SIZE, COLUMNS = 6, 4
RULE = ProjectConflicts()


def surgery_of(before, update, mixing):
    rows = GivenRows(before + update, before)
    return RULE.receive(rows, RULE.send(rows, mixing), mixing)


def normal(seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(SIZE, COLUMNS, dtype=torch.float64, generator=generator)


def naive(before, update, mixing):
    """Each agent projects each neighbour's update by itself, then averages."""
    weight, before, update = mixing.dense(), before.numpy(), update.numpy()
    after = np.zeros_like(before)
    for i in range(SIZE):
        for j in range(SIZE):
            delta = update[j].copy()
            if j != i and delta @ update[i] < 0:
                delta -= (delta @ update[i]) / (update[i] @ update[i]) * update[i]
            after[i] += weight[i, j] * (before[j] + delta)
    return torch.from_numpy(after)


@pytest.mark.parametrize("topology", ["ring", "full", "one-peer-exponential"])
@pytest.mark.parametrize("seed", range(3))
def test_surgery_is_pcgrad_edge_by_edge(topology, seed):
    before, update, mixing = normal(seed), normal(seed + 10), mixing_over(SIZE, topology)
    expected = naive(before, update, mixing)
    torch.testing.assert_close(surgery_of(before, update, mixing), expected, rtol=1e-12, atol=1e-12)
    assert not torch.allclose(expected, mixing.apply(before + update))


def test_without_conflict_surgery_is_averaging():
    before, update, mixing = normal(0), normal(1).abs(), mixing_over(SIZE)
    expected = mixing.apply(before + update)
    assert torch.equal(surgery_of(before, update, mixing), expected)


def test_an_agent_that_did_not_move_averages():
    before, update, mixing = normal(0), normal(1), mixing_over(SIZE)
    update[2] = 0
    after = surgery_of(before, update, mixing)
    assert after.isfinite().all()
    torch.testing.assert_close(after[2], mixing.apply(before + update)[2])


def test_parameters_and_updates_travel():
    assert RULE.needs_previous
    assert RULE.numbers_sent(10) == 20
    twice, once = (
        tiny_simulator("gradient-surgery").payload(),
        tiny_simulator("dsgd-hybrid").payload(),
    )
    assert (twice.links, twice.total_bytes) == (once.links, 2 * once.total_bytes)


def test_every_branch_is_shared_as_in_hybrid_and_projected():
    (stage,) = gradient_surgery().stages
    assert stage.sharing is hybrid
    assert set(stage.exchanges) == {"encoder", "fusion", "head"}
