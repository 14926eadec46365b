from __future__ import annotations

import numpy as np

from tests.small import federation


def test_an_overlay_per_label_and_seed():
    simulator = federation("dsgd-hybrid", seeds=(0, 1))
    (rows,) = [r for b, r in simulator.layout.branches.items() if b.label == "any/head"]
    overlays = simulator.book.overlays(rows, simulator.stage)
    assert {(key.label, key.seed) for key in overlays} == {
        (f"set:{group}", seed) for group in ("a", "b", "a+b") for seed in (0, 1)
    }
    assert sorted(np.concatenate(list(overlays.values())).tolist()) == list(range(14))


def test_a_branch_that_nobody_shares_keeps_itself():
    simulator = federation("local")
    for rows in simulator.layout.branches.values():
        assert simulator.book.overlays(rows, simulator.stage) == {}
        mixing = simulator.book.mixing(rows, simulator.stage, 0, 1)
        assert np.array_equal(mixing.dense(), np.eye(len(rows.agents)))


def test_only_overlays_that_change_are_computed_again():
    for topology, varies in (("ring", False), ("random-matching", True)):
        simulator = federation(topology=topology)
        rows = next(iter(simulator.layout.branches.values()))
        first, second = (simulator.book.mixing(rows, simulator.stage, 0, t) for t in (1, 2))
        assert (first is not second) == varies == simulator.varies
