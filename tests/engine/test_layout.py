from __future__ import annotations

import torch

from parse_dfl.engine.state import flatten, param_slices
from tests.small import federation, run_rounds, small_data, small_network_spec


def test_agents_of_one_modality_set_form_a_cohort():
    layout = federation(seeds=(0, 1)).layout
    groups = [{agent.group for agent in stack.agents} for stack in layout.stacks]
    assert groups == [{"a"}, {"b"}, {"a+b"}]
    assert len(layout.agents) == 14


def test_a_branch_has_a_row_for_each_of_its_owners():
    layout = federation().layout
    owners = {b.label: {agent.name for agent in rows.agents} for b, rows in layout.branches.items()}
    both = {"a+b-0", "a+b-1", "a+b-2"}
    assert owners["a/backbone"] == owners["a/unique"] == {"a-0", "a-1"} | both
    assert owners["a+b/synergy"] == both
    assert owners["any/redundant"] == {"a-0", "a-1", "b-0", "b-1"} | both


def test_equal_components_of_one_seed_start_equal_and_of_two_seeds_do_not():
    for rows in federation(seeds=(0, 1)).layout.branches.values():
        seeds = torch.tensor([agent.seed for agent in rows.agents])
        first, second = rows.params[seeds == 0], rows.params[seeds == 1]
        assert torch.equal(first, first[:1].expand_as(first))
        if rows.branch.component == "gate":  # weights of slices begin at one everywhere
            continue
        assert not torch.equal(first[0], second[0])


def test_a_cohorts_parameters_are_views_of_its_rows():
    simulator = federation()
    data = small_data()
    for stack in simulator.layout.stacks:
        for label, part in stack.network.parts.items():
            rows, block = stack.rows[label], stack.blocks[label]
            for parameter in part.parameters():
                assert parameter.untyped_storage().data_ptr() == (
                    rows.params.untyped_storage().data_ptr()
                )
            rows.params[block] = 7.0
            assert all((parameter == 7.0).all() for parameter in part.parameters())
            spec = stack.agents[0]
            alone = simulator.method.network(small_network_spec(data), spec).parts[label]
            assert rows.width == len(flatten(alone, param_slices(alone)))


def test_frozen_parameters_belong_to_no_row():
    part = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 1))
    part[0].requires_grad_(False)
    (weight, bias) = param_slices(part)
    assert (weight.name, weight.shape, weight.slice) == ("1.weight", (1, 3), slice(0, 3))
    assert (bias.name, bias.offset) == ("1.bias", 3)
    assert torch.equal(flatten(part, param_slices(part))[:3], part[1].weight[0])
    assert len(flatten(part[0], param_slices(part[0]))) == 0


def test_restoring_gives_back_every_tensor():
    simulator = run_rounds(federation("sheaf-dmfl"), 2)
    rows = next(r for b, r in simulator.layout.branches.items() if b.component == "head")
    kept = {name: value.clone() for name, value in rows.tensors().items()}
    assert {"theta", "steps", "moment.first", "moment.second", "memory.maps"} <= kept.keys()
    run_rounds(simulator, 1)
    rows.restore(kept)
    assert all(torch.equal(value, kept[name]) for name, value in rows.tensors().items())
