from __future__ import annotations

import torch

from tests.small import federation, run_rounds


def rows_named(simulator, label, name):
    (rows,) = [r for branch, r in simulator.layout.branches.items() if branch.label == label]
    owners = [agent.name for agent in rows.agents]
    return (rows, owners.index(name)) if name in owners else (rows, None)


def test_what_an_agent_keeps_moves_with_it():
    simulator = run_rounds(federation(events=["4:a-0:+b", "4:a+b-1:-a"]), 3)
    kept = {}
    for label in ("a/backbone", "any/redundant"):
        rows, row = rows_named(simulator, label, "a-0")
        kept[label] = {name: value[row].clone() for name, value in rows.row_state().items()}
    rows, row = rows_named(simulator, "b/backbone", "a+b-1")
    lost = rows.params[row].clone()
    simulator.trainer._apply_changes(4)
    for label, state in kept.items():
        rows, row = rows_named(simulator, label, "a-0")
        assert rows.agents[row].modalities == ("a", "b")
        for name, value in state.items():
            assert torch.equal(rows.row_state()[name][row], value)
    rows, row = rows_named(simulator, "b/backbone", "a+b-1")
    assert torch.equal(rows.params[row], lost)
    assert rows_named(simulator, "a/backbone", "a+b-1")[1] is None
    assert rows_named(simulator, "a+b/synergy", "a+b-1")[1] is None


def test_a_gained_branch_starts_from_initial_weights():
    fresh = federation()
    simulator = run_rounds(federation(events=["4:a-0:+b"]), 3)
    simulator.trainer._apply_changes(4)
    for label in ("b/backbone", "b/unique", "a+b/synergy"):
        rows, row = rows_named(simulator, label, "a-0")
        start, owner = rows_named(fresh, label, "a+b-0")
        assert torch.equal(rows.params[row], start.params[owner])
        assert rows.steps[row] == 0
        assert all(not moment[row].any() for moment in rows.moments.values())


def overlay_members(simulator, label):
    (rows,) = [r for branch, r in simulator.layout.branches.items() if branch.label == label]
    (key,) = simulator.mixing_cache.overlays(rows, simulator.stage)
    return set(key.members), simulator.mixing_cache.mixing(rows, simulator.stage, simulator.round)


def test_overlays_are_drawn_anew_and_training_goes_on():
    simulator = run_rounds(federation(events=["3:a-0:+b", "5:a-0:-a"], rounds=8), 2)
    assert "a-0" not in overlay_members(simulator, "b/backbone")[0]
    run_rounds(simulator, 1)
    members, mixing = overlay_members(simulator, "b/backbone")
    assert "a-0" in members
    assert mixing.size == len(members) == 6
    assert "a-0" in overlay_members(simulator, "a+b/synergy")[0]
    run_rounds(simulator, 5)
    assert "a-0" not in overlay_members(simulator, "a/backbone")[0]
    rows, row = rows_named(simulator, "b/backbone", "a-0")
    assert rows.steps[row] == 6 * 2


def test_a_branch_may_pass_from_one_owner_to_another():
    """The last owner loses a modality in the round in which another agent gains it."""
    events = ["2:b-0:+a", "2:b-0:-b", "2:a-0:+b", "2:a-0:-a"]
    simulator = run_rounds(federation(agents="a=1,b=1", events=events), 3)
    assert {agent.name: agent.group for agent in simulator.layout.agents} == {
        "a-0": "b",
        "b-0": "a",
    }


def test_encoders_gained_in_harmonys_second_stage_have_drifted_nowhere_yet():
    """Both agents gain an encoder that nobody had, and average fusion heads by their drift."""
    events = [
        f"{round}:a+b-{agent}:{sign}b" for round, sign in ((2, "-"), (9, "+")) for agent in "01"
    ]
    simulator = run_rounds(federation("harmony", agents="a+b=2", rounds=10, events=events), 8)
    assert simulator.stage.number == 1
    rows, _ = rows_named(run_rounds(simulator, 2), "a+b/fusion", "a+b-0")
    assert torch.equal(rows.params[0], rows.params[1])
    encoders, _ = rows_named(simulator, "b/encoder", "a+b-0")
    assert encoders.stage_start is not None
