from __future__ import annotations

import numpy as np

from parse_dfl.agents import AgentSpec
from parse_dfl.engine.neighbourhood import absent_agents
from tests.small import federation


def test_an_overlay_per_label_and_seed():
    simulator = federation("dsgd-hybrid", seeds=(0, 1))
    (rows,) = [r for b, r in simulator.layout.branches.items() if b.label == "any/head"]
    overlays = simulator.mixing_cache.overlays(rows, simulator.stage)
    assert {(key.label, key.seed) for key in overlays} == {
        (f"set:{group}", seed) for group in ("a", "b", "a+b") for seed in (0, 1)
    }
    assert sorted(np.concatenate(list(overlays.values())).tolist()) == list(range(14))


def test_a_branch_that_nobody_shares_keeps_itself():
    simulator = federation("local")
    for rows in simulator.layout.branches.values():
        assert simulator.mixing_cache.overlays(rows, simulator.stage) == {}
        mixing = simulator.mixing_cache.mixing(rows, simulator.stage, 1)
        assert np.array_equal(mixing.dense(), np.eye(len(rows.agents)))


def test_only_overlays_that_change_are_computed_again():
    for topology, varies in (("ring", False), ("random-matching", True)):
        simulator = federation(topology=topology)
        rows = next(iter(simulator.layout.branches.values()))
        first, second = (simulator.mixing_cache.mixing(rows, simulator.stage, t) for t in (1, 2))
        assert (first is not second) == varies == simulator.varies


def test_absence_is_each_agents_own_coin():
    agents = [AgentSpec(name=f"a-{number}", modalities=("a",)) for number in range(400)]
    absent = absent_agents(agents, 0.25, 3)
    assert 70 < len(absent) < 130
    assert absent_agents(agents[:50], 0.25, 3) == absent & set(agents[:50])
    assert absent_agents(agents, 0.25, 4) != absent
    assert absent_agents(agents, 0.0, 3) == set()
