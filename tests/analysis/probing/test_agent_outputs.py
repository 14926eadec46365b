from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from parse_dfl.analysis.probing.agent_outputs import View, joined, view
from parse_dfl.analysis.probing.measures import mean
from parse_dfl.engine.agent_io import trained_agent
from parse_dfl.errors import CheckpointError
from tests.small import federation

SIMULATOR = federation(agents="a+b=1", dtype="float32")
DATA = SIMULATOR.data.source
COHORT = SIMULATOR.layout.stacks[0]


def trained():
    names = DATA.label_names
    return trained_agent(COHORT, 0, SIMULATOR.method, SIMULATOR.network_spec, names)


@pytest.fixture
def seen():
    return view(trained(), DATA, np.arange(30))


def test_slices_sides_and_pairs_can_be_read(seen):
    assert {name: values.shape for name, values in seen.representations().items()} == {
        **dict.fromkeys(["redundant.a", "redundant.b", "unique.a", "unique.b"], (30, 2)),
        **dict.fromkeys(["synergistic.a+b", "synergistic.a+b.a", "synergistic.a+b.b"], (30, 2)),
        **dict.fromkeys(["redundant.a,b", "unique.a,b", "synergistic.a,b"], (30, 4)),
    }
    assert seen.representations(noiseless=True) == {}
    assert not seen.is_noisy


def test_only_what_holds_a_noisy_channel_is_read_without_noise(seen):
    means = {"redundant.a": torch.zeros(30, 2)}
    noisy = View(agent=seen.agent, outputs=replace(seen.outputs, means=means))
    free = noisy.representations(noiseless=True)
    assert set(free) == {"redundant.a", "redundant.a,b"}
    assert not free["redundant.a,b"][:, :2].any()
    assert np.array_equal(free["redundant.a,b"][:, 2:], noisy.values()["redundant.b"])


def test_batches_are_joined_in_order(seen):
    parts = [
        seen.outputs.map(lambda value, part=part: value[part]) for part in (slice(7), slice(7, 30))
    ]
    whole = joined(parts)
    assert torch.equal(whole.logits, seen.outputs.logits)
    assert torch.equal(whole.sides["synergistic.a+b.b"], seen.outputs.sides["synergistic.a+b.b"])


def test_an_agent_that_diverged_is_named():
    agent = trained()
    with torch.no_grad():
        next(agent._network.parameters()).fill_(torch.nan)
    with pytest.raises(CheckpointError, match=r"agent 'a\+b-0' says NaN"):
        view(agent, DATA, np.arange(5))


def test_means_are_of_what_all_have():
    assert mean([{"x": 1.0, "y": {"z": 2.0}}, {"x": 3.0, "y": {}}]) == {"x": 2.0, "y": {}}
    assert mean([1.0, None]) is None
