"""What is worked on together fits the cache and the memory, and no rest is left alone."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from parse_dfl.engine.agent_stack import (
    COMPILED_PART_BYTES,
    PART_BYTES,
    MemoryPlan,
    equal_part,
    even_part,
    layer_entries,
)


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
