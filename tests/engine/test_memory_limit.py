from __future__ import annotations

import pytest
import torch

from parse_dfl.engine import memory_limit
from parse_dfl.engine.memory_limit import memory_bytes, show, working_bytes
from parse_dfl.errors import ConfigError
from tests.small import federation, rows_of, run_rounds

SIZES = {"state_bytes": 3 << 20, "least_bytes": 1 << 20, "agents": 7}
MIX = {"agents": "a=3,b=2,a+b=5", "sizes": (12, 7, 20)}


@pytest.mark.parametrize(
    ("text", "size"),
    [("2GiB", 2 << 30), ("512 MiB", 512 << 20), ("1.5gb", 1_500_000_000), ("4096", 4096)],
)
def test_sizes_are_read_in_either_kind_of_unit(text, size):
    assert memory_bytes(text) == size


@pytest.mark.parametrize("text", ["much", "2TB", "-1GiB", "0", ""])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ConfigError, match="write it as 512MiB, 2GiB"):
        memory_bytes(text)


def test_sizes_are_shown_for_people():
    assert [show(n) for n in (2 << 30, 3 << 19, 2048)] == ["2.0 GiB", "1.5 MiB", "2 KiB"]


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
    held = memory_limit.resident_bytes()
    monkeypatch.setattr("parse_dfl.engine.layout.resident_bytes", lambda: held)
    limit = str(held + (64 << 20))
    plain, made = (federation(memory_limit=limit, compiled=each) for each in (False, True))
    left = plain.layout.stacks[0].chunks.working_bytes
    assert {stack.chunks.working_bytes for stack in made.layout.stacks} == {left // 2}


def test_within_a_limit_rows_are_worked_on_in_chunks_with_the_same_numbers(monkeypatch):
    whole = run_rounds(federation(**MIX), 3)
    monkeypatch.setattr(memory_limit, "EVALUATION_BYTES", 0)
    held = memory_limit.resident_bytes()
    monkeypatch.setattr("parse_dfl.engine.layout.resident_bytes", lambda: held)
    state = 3 * sum(rows.params.nbytes for rows in whole.layout.branches.values())
    left = 2 * max(stack.chunks.training_bytes for stack in whole.layout.stacks)
    tight = run_rounds(federation(memory_limit=str(held + state + left), **MIX), 3)
    assert all(stack.chunks.working_bytes == left for stack in tight.layout.stacks)
    assert [len(stack.chunks.parts()) for stack in tight.layout.stacks] != [1, 1, 1]
    assert [len(rows.gradient) < len(rows.params) for rows in tight.layout.branches.values()]
    chunked, plain = rows_of(tight), rows_of(whole)
    assert all(torch.allclose(chunked[key], plain[key], rtol=1e-12, atol=1e-14) for key in plain)
    samples = torch.arange(40)
    for (_, mine), (_, theirs) in zip(
        tight.evaluate(samples), whole.evaluate(samples), strict=True
    ):
        assert torch.equal(mine.accuracy, theirs.accuracy)
