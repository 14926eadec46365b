"""What can be read of an agent, and what its predictions owe to each slice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from parse_dfl.agents import AgentSpec
from parse_dfl.analysis.probing.agent_outputs import (
    AgentOutputs,
    ablation,
    concatenated,
    cross_agent_pairs,
)
from parse_dfl.engine.agent_io import trained_agent
from parse_dfl.errors import CheckpointError, ConfigError
from parse_dfl.networks.network import Outputs
from tests.small import federation

SIMULATOR = federation(agents="a+b=1", dtype="float32")
DATA = SIMULATOR.trainer.data.source


def trained(simulator=SIMULATOR):
    trainer = simulator.trainer
    stack, names = simulator.layout.stacks[0], DATA.label_names
    return trained_agent(stack, 0, trainer.method, trainer.network_spec, names)


@pytest.fixture
def seen():
    return AgentOutputs.of(trained(), DATA, np.arange(30))


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
    noisy = AgentOutputs(agent=seen.agent, outputs=replace(seen.outputs, means=means))
    free = noisy.representations(noiseless=True)
    assert set(free) == {"redundant.a", "redundant.a,b"}
    assert not free["redundant.a,b"][:, :2].any()
    assert np.array_equal(free["redundant.a,b"][:, 2:], noisy.values()["redundant.b"])


def test_batches_are_joined_in_order(seen):
    parts = [
        seen.outputs.map(lambda value, part=part: value[part]) for part in (slice(7), slice(7, 30))
    ]
    whole = concatenated(parts)
    assert torch.equal(whole.logits, seen.outputs.logits)
    assert torch.equal(whole.sides["synergistic.a+b.b"], seen.outputs.sides["synergistic.a+b.b"])


def test_an_agent_that_diverged_is_named():
    agent = trained()
    with torch.no_grad():
        next(agent._network.parameters()).fill_(torch.nan)
    with pytest.raises(CheckpointError, match=r"agent 'a\+b-0' says NaN"):
        AgentOutputs.of(agent, DATA, np.arange(5))


def unimodal(name, modality, **slices):
    values = {kind + "." + modality: torch.full((5, 2), v) for kind, v in slices.items()}
    agent = AgentSpec(name=name, modalities=(modality,))
    outputs = Outputs(torch.zeros(5, 2), {modality: torch.zeros(5, 2)}, values, {})
    return AgentOutputs(agent=agent, outputs=outputs)


def test_unimodal_agents_of_different_modalities_meet_one_to_one():
    agents = [
        unimodal("a-0", "a", redundant=1.0, unique=2.0),
        unimodal("b-0", "b", redundant=3.0),
        unimodal("a-1", "a", redundant=4.0, unique=5.0),
    ]
    (pair,) = cross_agent_pairs(agents)
    assert pair.modalities == ("a", "b")
    assert list(pair.slices()) == ["redundant"]  # b-0 has no unique slice
    ((name, both),) = pair.named_representations().items()
    assert name == "a-0 b-0/redundant"
    assert both.tolist() == [[1.0, 1.0, 3.0, 3.0]] * 5


def test_agents_without_slices_are_refused():
    agent = trained(federation("dsgd-hybrid", agents="a+b=1", dtype="float32"))
    with pytest.raises(ConfigError, match="has no redundant, unique or synergistic slices"):
        AgentOutputs.of(agent, DATA, np.arange(5))


LABEL = torch.tensor([0, 0, 1, 1])
FIRST = torch.tensor([[2.0, 0], [0, 2], [0, 2], [2, 0]])  # right, wrong, right, wrong
SECOND = torch.tensor([[0.0, 1], [5, 0], [0, 1], [1, 0]])  # wrong, right, right, wrong
FUSED = torch.tensor([[0.0, 0], [0, 0], [9, 0], [0, 9]])  # spoils the third, saves the last


def outputs_with(**more):
    slices = {"unique.a": FIRST, "unique.b": SECOND, "synergistic.a+b": FUSED}
    settings = {
        "logits": sum(slices.values()),
        "modality_logits": {"a": FIRST, "b": SECOND},
        "slice_logits": slices,
    }
    return Outputs(**settings | more)


def test_shares_are_those_counted_by_hand():
    shares = ablation(outputs_with(), LABEL)
    assert shares.joint == 0.75
    assert shares.without == {"unique.a": 0.5, "unique.b": 0.5, "synergistic.a+b": 0.75}
    assert shares.modalities == {"a": 0.5, "b": 0.5}
    assert (shares.synergy_score, shares.spoilt) == (0.25, 0.25)
    assert shares.noiseless is None


def test_the_noiseless_prediction_is_measured_beside_the_noisy_one():
    assert ablation(outputs_with(mean_logits=FIRST), LABEL).noiseless == 0.5


def test_one_modality_has_no_synergy():
    shares = ablation(outputs_with(modality_logits={"a": FIRST}), LABEL)
    assert (shares.synergy_score, shares.spoilt) == (None, None)


def test_slices_that_do_not_add_up_are_not_taken_away():
    shares = ablation(outputs_with(logits=FIRST), LABEL)
    assert shares.without == shares.alone == {}
    assert shares.joint == pytest.approx(0.5)
