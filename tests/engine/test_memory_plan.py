"""What is worked on together fits the cache and the memory, and no rest is left alone."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from parse_dfl.engine import memory_plan
from parse_dfl.engine.memory_plan import (
    COMPILED_PART_BYTES,
    PART_BYTES,
    MemoryPlan,
    equal_part,
    even_part,
    layer_entries,
    working_bytes,
)
from parse_dfl.errors import ConfigError
from parse_dfl.process import resident_bytes
from tests.small import federation, rows_of, run_rounds


def plan(rows=100, **changed):
    values = {"parameters": 1000, "batch": 32, "layer_entries": [64, 128, 10], "number_bytes": 4}
    return MemoryPlan(rows=rows, **(values | changed))


@given(rows=st.integers(1, 5000), parameters=st.integers(1, 200_000), memory=st.integers(1, 10**9))
def test_parts_cover_all_rows_once_and_fit(rows, parameters, memory):
    own = plan(rows, parameters=parameters, working_bytes=memory)
    parts = own.chunks()
    assert [row for part in parts for row in range(rows)[part]] == list(range(rows))
    sizes = [part.stop - part.start for part in parts]
    assert max(sizes) == own.rows_per_chunk
    if own.rows_per_chunk > 1:
        assert own.rows_per_chunk * own.training_bytes <= memory
        assert own.rows_per_chunk * own.number_bytes * 4 * parameters <= PART_BYTES


@given(total=st.integers(1, 10**6), largest=st.integers(1, 10**6))
def test_even_parts_are_as_few_as_parts_can_be(total, largest):
    part = even_part(total, largest)
    assert part <= largest
    assert -(-total // part) == -(-total // largest)


@given(total=st.integers(1, 3000), largest=st.integers(1, 3000))
def test_equal_parts_leave_no_rest_where_half_as_many_again_suffice(total, largest):
    part, fewest = equal_part(total, largest), -(-total // largest)
    assert part <= largest
    parts = -(-total // part)
    if any(total % count == 0 for count in range(fewest, fewest + fewest // 2 + 1)):
        assert total % part == 0
        assert fewest <= parts <= 1.5 * fewest
    else:
        assert parts == fewest


def test_compiled_parts_are_small_and_leave_some_for_other_threads():
    for compiled, most in ((False, PART_BYTES), (True, COMPILED_PART_BYTES)):
        activations = (1 if compiled else 2) * 32 * (64 + 128 + 10)
        height = plan(5000, compiled=compiled).rows_per_chunk
        assert most / 2 < height * 4 * (4 * 1000 + activations) <= most
    assert plan(100, compiled=True, most_rows=34).rows_per_chunk == 25
    assert plan(100, most_rows=34).rows_per_chunk == 34


def test_without_a_limit_all_is_affordable():
    assert plan().affordable(10**9, 3) == 10**9
    assert plan(working_bytes=1200).affordable(10**9, 3) == 100


def test_entries_are_those_of_the_inputs_and_of_every_layer():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.parts = nn.Sequential(nn.Linear(6, 4), nn.ReLU())

        def forward(self, inputs):
            return self.parts(inputs["a"])

    assert layer_entries(Two(), {"a": torch.zeros(3, 5, 6)}) == [6, 4, 4]


def test_what_training_takes_counts_gradients_twice():
    own = plan(parameters=10, batch=2, layer_entries=[3, 5], number_bytes=8)
    assert own.training_bytes == 8 * (2 * 2 * 8 + 2 * 10)
    assert own.widest == 5


@pytest.mark.parametrize("rows", [1, 7])
def test_a_row_that_fits_nowhere_is_still_trained_alone(rows):
    assert plan(rows, working_bytes=1).rows_per_chunk == 1


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
    monkeypatch.setattr(memory_plan, "EVALUATION_BYTES", 0)
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
