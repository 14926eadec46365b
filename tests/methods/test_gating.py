from __future__ import annotations

import numpy as np
import pytest
import torch

from parse_dfl.config import NetworkConfig
from parse_dfl.data.mapping import from_mapping
from parse_dfl.errors import ConfigError
from parse_dfl.methods.gating import gated, ungated
from parse_dfl.methods.parse import ParseOptions, parse_method
from parse_dfl.networks.losses import Batch, joint_loss
from parse_dfl.networks.network import Outputs
from parse_dfl.networks.parse import GatedParseNetwork
from tests.small import federation, rows_of, run_rounds


def test_slices_learn_from_the_sum_and_gates_from_the_weighted_prediction():
    generator = torch.Generator().manual_seed(0)
    one, other, weighted = torch.randn(3, 1, 8, 3, generator=generator)
    outputs = Outputs(weighted, {"a": one, "b": other}, {}, {"unique.a": one, "unique.b": other})
    number = torch.arange(8).unsqueeze(0)
    label, weight = number % 3, torch.full((1, 8), 1 / 8)
    batch = Batch(label, weight, torch.zeros(1, 3), number)

    def mean(logits, chosen):
        every = torch.nn.functional.cross_entropy(logits[0], label[0], reduction="none")
        return every[chosen].mean()

    held = number[0] % 4 == 0
    expected = mean(one + other, ~held) + mean(weighted, held)
    torch.testing.assert_close(gated(joint_loss, 4)(outputs, batch)[0], expected)
    everything = torch.ones(8, dtype=torch.bool)
    torch.testing.assert_close(
        ungated(joint_loss)(outputs, batch)[0], mean(one + other, everything)
    )


def gates(simulator):
    return {k: v for k, v in rows_of(simulator).items() if "/gate/" in k[2]}


def test_gates_stand_while_slices_learn_from_all_samples():
    simulator = run_rounds(federation("parse"), 3)
    halfway, everything = gates(simulator), rows_of(simulator)
    assert all(row.abs().sum() > 0 for row in halfway.values())
    run_rounds(simulator, 3)
    averaged = {key: row.mean() for key, row in halfway.items()}
    for branch in {key[2] for key in halfway}:  # exchanged still, and so the same on average
        before = [averaged[key] for key in halfway if key[2] == branch]
        after = [row.mean() for key, row in gates(simulator).items() if key[2] == branch]
        torch.testing.assert_close(torch.stack(after).mean(), torch.stack(before).mean())
    moved = rows_of(simulator)
    assert all(not torch.equal(moved[k], everything[k]) for k in everything if "/gate/" not in k[2])


def test_the_schedule_goes_on_through_both_parts():
    method = parse_method(ParseOptions())
    assert method.stage_bounds(10) == [(1, 5), (6, 10)]
    assert [method.schedule_bounds(stage, 10) for stage in (0, 1)] == [(1, 10)] * 2
    assert method.stage_bounds(1)[method.stage_at(1, 1)] == (1, 1)
    assert run_rounds(federation("parse", rounds=1), 1).round == 1


def clear_and_weak():
    """One modality that shows the class, and one that hints at it, in many numbers."""
    rng = np.random.default_rng(0)
    label = np.arange(900) % 3
    angle = 2 * np.pi * label / 3
    clear = 3 * np.stack([np.cos(angle), np.sin(angle)], 1) + rng.normal(size=(900, 2))
    weak = 0.05 * rng.normal(size=(3, 200))[label] + rng.normal(size=(900, 200))
    return from_mapping("clear and weak", {"a": clear, "b": weak}, label)


def accuracies(**options):
    """Of each group on :func:`clear_and_weak`, with seeds side by side."""
    simulator = federation(
        parse_method(ParseOptions(**options)),
        agents="a=3,b=3,a+b=3",
        seeds=(0, 1),
        data=clear_and_weak(),
        sizes=(48,),
        network=NetworkConfig(latent=48, hidden=32),
        rounds=40,
        batch_size=16,
        lr=0.01,
    )
    scores = run_rounds(simulator, 40).evaluate(torch.arange(900))
    return {stack.agents[0].group: float(found.accuracy.mean()) for stack, found in scores}


def test_who_has_a_weak_modality_as_well_does_no_worse():
    summed, weighted = accuracies(hold_out=0), accuracies()
    assert summed["a+b"] < summed["a"] - 0.01  # the fault that the weights are there for
    assert weighted["a+b"] > weighted["a"] - 0.01


def test_without_held_out_samples_it_is_the_plain_sum():
    method = parse_method(ParseOptions(hold_out=0))
    assert len(method.stages) == 1
    assert method.network is not GatedParseNetwork
    assert parse_method(ParseOptions(gate_share=1.0)).stages[0].share == 1.0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"hold_out": 1}, "hold_out must be at least 2, not 1"),
        ({"gate_share": 1.5}, "gate_share must be at most 1 and above 0, not 1.5"),
        ({"gate_share": 0.0}, "gate_share must be at most 1 and above 0, not 0"),
    ],
)
def test_impossible_options_are_refused(options, told):
    with pytest.raises(ConfigError, match=told):
        ParseOptions(**options)
