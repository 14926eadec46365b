from __future__ import annotations

import pytest
import torch

from parse_dfl.engine import layout
from parse_dfl.engine.layout import working_bytes
from parse_dfl.engine.state import flatten, param_slices
from parse_dfl.errors import ConfigError
from parse_dfl.process import resident_bytes
from tests.small import federation, rows_of, run_rounds, small_data, small_network_spec


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


SIZES = {"state_bytes": 3 << 20, "least_bytes": 1 << 20, "agents": 7}
MIX = {"agents": "a=3,b=2,a+b=5", "sizes": (12, 7, 20)}


def test_what_the_limit_leaves():
    assert working_bytes(None, held_bytes=0, **SIZES) is None
    assert working_bytes("40MiB", held_bytes=10 << 20, **SIZES) == 27 << 20


def test_a_limit_below_what_is_needed_says_what_is():
    with pytest.raises(ConfigError) as error:
        working_bytes("20MiB", held_bytes=10 << 20, **SIZES)
    assert str(error.value).startswith(
        "memory limit 20MiB is too small: 30.0 MiB are needed, 10.0 MiB for libraries and data, "
        "3.0 MiB for parameters and optimizer state of 7 agents, 17.0 MiB to work with"
    )


def test_a_simulator_that_does_not_fit_is_refused_before_it_is_built():
    with pytest.raises(ConfigError, match="memory limit 1MiB is too small"):
        federation(memory_limit="1MiB")


@pytest.mark.usefixtures("two_torch_threads")
def test_threads_share_what_the_limit_leaves(monkeypatch):
    held = resident_bytes()
    monkeypatch.setattr("parse_dfl.engine.layout.resident_bytes", lambda: held)
    limit = str(held + (64 << 20))
    plain, made = (federation(memory_limit=limit, compiled=each) for each in (False, True))
    left = plain.layout.stacks[0].memory_plan.working_bytes
    assert {stack.memory_plan.working_bytes for stack in made.layout.stacks} == {left // 2}


def test_within_a_limit_rows_are_worked_on_in_chunks_with_the_same_numbers(monkeypatch):
    whole = run_rounds(federation(**MIX), 3)
    monkeypatch.setattr(layout, "EVALUATION_BYTES", 0)
    held = resident_bytes()
    monkeypatch.setattr("parse_dfl.engine.layout.resident_bytes", lambda: held)
    state = 3 * sum(rows.params.nbytes for rows in whole.layout.branches.values())
    left = 2 * max(stack.memory_plan.training_bytes for stack in whole.layout.stacks)
    tight = run_rounds(federation(memory_limit=str(held + state + left), **MIX), 3)
    assert all(stack.memory_plan.working_bytes == left for stack in tight.layout.stacks)
    assert [len(stack.parts) for stack in tight.layout.stacks] != [1, 1, 1]
    assert [len(rows.gradient) < len(rows.params) for rows in tight.layout.branches.values()]
    chunked, plain = rows_of(tight), rows_of(whole)
    assert all(torch.allclose(chunked[key], plain[key], rtol=1e-12, atol=1e-14) for key in plain)
    samples = torch.arange(40)
    for (_, mine), (_, theirs) in zip(
        tight.evaluate(samples), whole.evaluate(samples), strict=True
    ):
        assert torch.equal(mine.accuracy, theirs.accuracy)
