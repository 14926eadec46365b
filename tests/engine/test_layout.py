from __future__ import annotations

import torch

from parse_dfl.engine.state import flatten, param_slices
from tests.small import federation, small_data, small_network_spec


def test_agents_of_one_modality_set_form_a_stack():
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


def test_a_stacks_parameters_are_views_of_its_rows():
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
            alone = simulator.trainer.method.network(small_network_spec(data), spec).parts[label]
            assert rows.width == len(flatten(alone, param_slices(alone)))
