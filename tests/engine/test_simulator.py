"""Tests."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from parse_dfl.engine.neighbourhood import absent_agents
from parse_dfl.engine.simulator import UnguardedWarning
from parse_dfl.errors import OverlayError
from tests.small import federation, rows_of, run_rounds


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            {"agents": "a=3,b=3,a+b=2", "robust": "clipping"},
            r"ill-posed on a\+b/\w+: a\+b-0 has 1 n",
        ),
        ({"agents": "a=5", "robust": "trimmed-mean"}, r"on a/backbone: a-0 has 2 neighbours"),
    ],
)
def test_ill_posed_rules_are_refused_before_the_first_round(settings, told):
    with pytest.raises(OverlayError, match=told):
        federation(**settings)


@pytest.mark.parametrize("method", ["local", "oracle"])
def test_where_nothing_is_exchanged_nothing_can_be_ill_posed(method):
    federation(method, agents="a=2", robust="trimmed-mean")


def test_rules_of_a_methods_own_are_not_guarded():
    with pytest.warns(UnguardedWarning, match="sheaf-dmfl exchanges head by a rule of its own"):
        federation("sheaf-dmfl", agents="a=4", robust="clipping")


def test_averaging_is_guarded_in_every_stage():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        simulator = federation("dsgd-hybrid", agents="a=4", robust="clipping")
    assert str(simulator.stage.averaging) == "clipping of attackers=0.2"


def test_a_global_momentum_that_drives_neighbours_apart_is_refused():
    chordal = {"agents": "a=10", "topology": "chordal-ring"}
    told = r"eigenvalue of -0\.600 there.*less than --global-momentum 0\.33"
    with pytest.raises(OverlayError, match=told):
        federation(global_momentum=0.8, **chordal)
    federation(global_momentum=0.3, **chordal)
    federation(global_momentum=0.8, agents="a=10", topology="ring")


def state_of(simulator):
    """Everything that an owner keeps: (seed, agent, branch, tensor) → row."""
    return {
        (agent.seed, agent.name, branch.label, name): value[row].clone()
        for branch, rows in simulator.layout.branches.items()
        for name, value in rows.row_state().items()
        for row, agent in enumerate(rows.agents)
    }


@pytest.mark.parametrize("method", ["parse", "gradient-surgery", "sheaf-dmfl"])
def test_an_absent_row_stays_unchanged_bit_for_bit(method):
    simulator = federation(method, absence=0.4, agents="a=4,b=4,a+b=4")
    stayed, moved = 0, 0
    for round in range(1, 6):
        before = state_of(simulator)
        simulator.step()
        absent = {agent.name for agent in absent_agents(simulator.layout.agents, 0.4, round)}
        for key, value in state_of(simulator).items():
            if key[1] in absent:
                assert torch.equal(value, before[key])
                stayed += 1
            elif key[3] == "steps":
                moved += int(value > before[key])
    assert stayed
    assert moved


@pytest.mark.parametrize(
    ("topology", "absence"),
    [
        ("ring", 0.0),
        ("ring", 0.4),
        ("full", 0.4),
        ("random-matching", 0.4),
        ("one-peer-exponential", 0.0),  # with absence its rows still sum to one, its columns not
    ],
)
def test_mixing_keeps_the_mean_of_a_branch(topology, absence):
    simulator = federation(topology=topology, agents="a=5,b=4,a+b=4")
    noise = torch.Generator().manual_seed(0)
    for rows in simulator.layout.branches.values():
        rows.params.copy_(torch.randn(rows.params.shape, generator=noise, dtype=torch.float64))
    absent = absent_agents(simulator.layout.agents, absence, 1)
    means = {branch: _present_mean(rows, absent) for branch, rows in _branches(simulator)}
    simulator.trainer.round = 1
    simulator._exchange(absent)
    for branch, rows in _branches(simulator):
        assert torch.allclose(_present_mean(rows, absent), means[branch], atol=1e-12)


def _branches(simulator):
    return simulator.layout.branches.items()


def _present_mean(rows, absent):
    return rows.params[[agent not in absent for agent in rows.agents]].mean(0)


@pytest.mark.parametrize("method", ["parse", "dsgd-task", "dsgd-hybrid", "dsgd-modality"])
def test_a_change_reaches_the_overlay_neighbours_of_its_branch_only(method):
    simulator = federation(method, agents="a=5,b=5,a+b=5")
    for branch, rows in simulator.layout.branches.items():
        overlays = simulator.mixing_cache.overlays(rows, simulator.stage)
        owner = len(rows.agents) - 1
        neighbours = {owner}
        for key, members in overlays.items():
            for i, j in simulator.mixing_cache.edges(key, 1).pairs.tolist():
                ends = {int(members[i]), int(members[j])}
                neighbours |= ends if owner in ends else set()
        kept = rows_of(simulator)
        mixed = _exchanged(simulator, kept)
        rows.params[owner] += 1.0
        changed = {
            key
            for key, row in _exchanged(simulator, rows_of(simulator)).items()
            if not torch.equal(row, mixed[key])
        }
        rows.params[owner] -= 1.0
        expected = {(0, rows.agents[row].name, str(branch)) for row in neighbours}
        assert changed == expected


def _exchanged(simulator, kept):
    """The rows after mixing; the simulator is put back."""
    simulator.trainer.round = 1
    simulator._exchange(set())
    mixed = rows_of(simulator)
    for branch, rows in simulator.layout.branches.items():
        for row, agent in enumerate(rows.agents):
            rows.params[row] = kept[agent.seed, agent.name, str(branch)]
    return mixed


@pytest.mark.parametrize("method", ["parse", "harmony", "sheaf-dmfl"])
def test_seeds_side_by_side_equal_separate_runs(method):
    together = rows_of(run_rounds(federation(method, seeds=(0, 1)), 4))
    for seed in (0, 1):
        alone = rows_of(run_rounds(federation(method, seeds=(seed,)), 4))
        for key, row in alone.items():
            assert torch.allclose(together[key], row, rtol=1e-9, atol=1e-11)


def test_federations_of_different_seeds_never_meet():
    quiet, loud = federation(seeds=(0, 1)), federation(seeds=(0, 1))
    for rows in loud.layout.branches.values():
        rows.params[[agent.seed == 1 for agent in rows.agents]] += 3.0
    kept, changed = rows_of(run_rounds(quiet, 3)), rows_of(run_rounds(loud, 3))
    for key, row in kept.items():
        assert torch.allclose(row, changed[key], rtol=1e-12, atol=1e-13) == (key[0] == 0)


def test_the_same_arguments_give_the_same_bits():
    first, second = (rows_of(run_rounds(federation(absence=0.2), 3)) for _ in range(2))
    assert all(torch.equal(row, second[key]) for key, row in first.items())


@pytest.mark.parametrize("method", ["parse", "harmony", "sheaf-dmfl", "oracle"])
def test_a_restored_simulator_goes_on_with_the_same_bits(method):
    events = ["3:a-0:+b", "5:a+b-0:-a"] if method != "oracle" else []
    simulator = run_rounds(federation(method, events=events, absence=0.2, rounds=8), 6)
    tensors = {name: value.clone() for name, value in simulator.tensors().items()}
    resumed = federation(method, events=events, absence=0.2, rounds=8)
    resumed.restore(tensors, 6)
    first, second = run_rounds(simulator, 2).tensors(), run_rounds(resumed, 2).tensors()
    assert first.keys() == second.keys()
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_training_learns_something():
    simulator = federation(rounds=20, lr=0.03)
    everything = torch.arange(simulator.trainer.data.source.samples)

    def accuracy():
        return np.mean([float(s.accuracy.mean()) for _, s in simulator.evaluate(everything)])

    before = accuracy()
    run_rounds(simulator, 20)
    assert accuracy() > before + 0.15
