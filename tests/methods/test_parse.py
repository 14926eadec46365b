from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from parse_dfl.config import NetworkConfig
from parse_dfl.config.methods import ParseAdaptive, ParseOptions
from parse_dfl.data.mapping import from_mapping
from parse_dfl.engine.agent_io import trained_agent
from parse_dfl.errors import ConfigError
from parse_dfl.methods.base import hybrid
from parse_dfl.methods.parse import (
    gated,
    oracle,
    parse_adaptive,
    parse_method,
    parse_objective,
    ungated,
)
from parse_dfl.networks.layers import Dropout
from parse_dfl.networks.losses import (
    Batch,
    cross_entropy,
    joint_loss,
    modality_loss,
    supervised_contrastive,
)
from parse_dfl.networks.network import Outputs
from parse_dfl.networks.parse import GatedParseNetwork, ParseNetwork
from tests.federation import CLASSES, WIDTHS, agent, thetas, tiny_blueprint, tiny_simulator
from tests.networks.test_parse import BOTH, gated_inputs
from tests.small import federation, rows_of, run_rounds, small_data, small_network_spec

ROWS, BATCH = 2, 5


def said(modalities, **config):
    network = ParseNetwork(tiny_blueprint(**config), agent(modalities))
    generator = torch.Generator().manual_seed(0)
    inputs = {
        name: torch.randn(ROWS, BATCH, WIDTHS[name], generator=generator)
        for name in modalities.split("+")
    }
    return network(inputs)


def batch():
    label = torch.arange(ROWS * BATCH).view(ROWS, BATCH) % CLASSES
    return Batch(label, torch.full((ROWS, BATCH), 1 / BATCH), torch.zeros(ROWS, CLASSES))


def loss(outputs, **weights):
    nothing = {"modality_weight": 0.0, "head_weight": 0.0, "contrastive_weight": 0.0}
    return parse_objective(ParseOptions(**nothing | weights))(outputs, batch())


def test_the_loss_is_the_weighted_sum_of_its_terms():
    outputs = said("a+b+c")
    joint = cross_entropy(outputs.logits, batch())
    torch.testing.assert_close(loss(outputs), joint)
    heads = sum(cross_entropy(logits, batch()) for logits in outputs.slice_logits.values())
    torch.testing.assert_close(loss(outputs, head_weight=0.3), joint + 0.3 * heads)
    alone = modality_loss(outputs, batch())
    torch.testing.assert_close(loss(outputs, modality_weight=2.0), joint + 2 * alone)
    r = [outputs.slices[f"redundant.{name}"] for name in "abc"]
    pairs = [(r[0], r[1]), (r[0], r[2]), (r[1], r[2])]
    pull = sum(supervised_contrastive(*pair, batch(), 0.5) for pair in pairs) / 3
    found = loss(outputs, contrastive_weight=0.4, temperature=0.5)
    torch.testing.assert_close(found, joint + 0.4 * pull)


def test_a_unimodal_agent_has_no_pairs_and_nothing_beside_its_joint_prediction():
    outputs = said("a")
    joint = cross_entropy(outputs.logits, batch())
    assert torch.equal(loss(outputs, modality_weight=1.0, contrastive_weight=1.0), joint)


@pytest.mark.parametrize("split", [(0, 1, 1), (0, 0, 1)])
def test_without_a_redundant_slice_there_is_nothing_to_contrast(split):
    outputs = said("a+b", split=split)
    expected = loss(outputs)
    assert torch.equal(loss(outputs, contrastive_weight=1.0), expected)


def test_parse_is_its_network_under_a_sharing_rule():
    method = parse_method(ParseOptions(hold_out=0), name="parse@hybrid", sharing=hybrid)
    assert (method.name, method.network) == ("parse@hybrid", ParseNetwork)
    assert [stage.sharing for stage in method.stages] == [hybrid]
    weighted = parse_method(ParseOptions(), name="parse@hybrid", sharing=hybrid)
    assert (weighted.name, weighted.network) == ("parse@hybrid", GatedParseNetwork)
    assert [stage.sharing for stage in weighted.stages] == [hybrid, hybrid]


def test_full_overlays_bring_each_branch_to_one_value_and_only_owners_have_synergy():
    simulator = tiny_simulator("parse", "a=2,b=2,a+b=2", topology="full")
    simulator.step()
    for component in ("backbone", "unique", "redundant", "synergy"):
        for rows in thetas(simulator, component).values():
            first, *others = rows.values()
            for other in others:
                torch.testing.assert_close(other, first, rtol=1e-12, atol=1e-12)
    assert {name: set(rows) for name, rows in thetas(simulator, "synergy").items()} == {
        "a+b": {"a+b-0", "a+b-1"}
    }
    owners = {name: len(rows) for name, rows in thetas(simulator, "backbone").items()}
    assert owners == {"a": 4, "b": 4}


class Own(nn.Module):
    """A user's encoder: torch's layers, one of our dropouts, nothing that knows of rows."""

    def __init__(self, features, hidden):
        super().__init__()
        self.linear, self.dropout = nn.Linear(features, hidden), Dropout(0.3)

    def forward(self, input):
        return self.dropout(self.linear(input.squeeze(-1).flatten(1))).relu()


def frozen(sample, hidden, dropout):
    return Own(sample.shape[0], hidden).requires_grad_(False)


def trainable(sample, hidden, dropout):
    return Own(sample.shape[0], hidden)


@pytest.mark.parametrize("build", [trainable, frozen])
@pytest.mark.parametrize("method", ["parse", "dsgd-hybrid", "harmony"])
def test_an_own_encoder_trains_and_predicts_alike_in_its_cohort_and_alone(method, build):
    network_spec = tiny_blueprint({"own": build}, encoders={"a": "own"})
    simulator = tiny_simulator(method, "a=2,a+b=2", network_spec=network_spec, rounds=2)
    component = "backbone" if method == "parse" else "encoder"
    before = thetas(simulator, component)["a"]
    for _ in range(2):
        simulator.step()
    after = thetas(simulator, component)["a"]
    assert all((after[name] != before[name]).any() for name in before)
    samples = torch.arange(20)
    for stack, scores in simulator.evaluate(samples):
        for row in range(len(stack.agents)):
            alone = trained_agent(
                stack, row, simulator.trainer.method, network_spec, ("x", "y", "z")
            )
            source = simulator.trainer.data.source
            said = alone.predict({m: source.modalities[m][:20] for m in alone.spec.modalities})
            assert (said == source.label[:20]).mean() == pytest.approx(float(scores.accuracy[row]))


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
    assert parse_method(ParseOptions(gate_share=1.0)).stages[0].fraction == 1.0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"hold_out": 1}, "hold_out must be 0 or at least 2, not 1"),
        ({"gate_share": 1.5}, "gate_share must be above 0 and at most 1, not 1.5"),
        ({"gate_share": 0.0}, "gate_share must be above 0 and at most 1, not 0"),
    ],
)
def test_impossible_options_are_refused(options, told):
    with pytest.raises(ConfigError, match=told):
        ParseOptions(**options)


GATED = 7


def gradients(numbers):
    """Which parts the loss of one batch reaches, its samples numbered so."""
    network = GatedParseNetwork(small_network_spec(small_data()), BOTH).eval()
    inputs = {name: value.unsqueeze(0) for name, value in gated_inputs().items()}
    for parameter in network.parameters():
        parameter.data = parameter.data.unsqueeze(0)
    batch = Batch(
        torch.arange(GATED).unsqueeze(0) % 3,
        torch.full((1, GATED), 1 / GATED),
        torch.zeros(1, 3),
        torch.tensor([numbers]),
    )
    parse_adaptive(ParseAdaptive(hold_out=4)).stages[0].objective(
        network(inputs), batch
    ).sum().backward()
    return {
        name.split(".")[1]
        for name, value in network.named_parameters()
        if value.grad is not None and value.grad.abs().sum() > 0
    }


def test_slices_never_see_the_samples_that_the_gates_learn_from():
    assert gradients([0, 4, 8, 12, 16, 20, 24]) == {"a/gate", "b/gate", "a+b/gate"}


def test_gates_never_see_the_samples_that_slices_learn_from():
    reached = gradients([1, 2, 3, 5, 6, 7, 9])
    assert not any(part.endswith("gate") for part in reached)
    assert {"a/backbone", "b/backbone", "any/redundant", "a+b/synergy"} <= reached


def test_gates_are_shared_and_only_among_agents_of_several_modalities():
    simulator = run_rounds(federation("parse-adaptive"), 3)
    owners = {agent for _, agent, branch in rows_of(simulator) if branch.startswith("a/gate")}
    assert owners == {"a+b-0", "a+b-1", "a+b-2"}
    rows = next(r for b, r in simulator.layout.branches.items() if b.label == "a/gate")
    assert len(simulator.mixing_cache.mixing(rows, simulator.stage, 1).source)
    assert rows.params.abs().sum() > 0


def test_a_modality_that_is_noise_is_trusted_less():
    data = small_data({"a": (6,), "b": (6,)}, samples=480)
    data.modalities["b"][:] = torch.randn(480, 6, generator=torch.Generator().manual_seed(3))
    trained = {"agents": "a+b=3", "data": data, "sizes": (40,), "rounds": 40, "lr": 0.02}
    simulator = run_rounds(federation("parse-adaptive", **trained), 40)
    trust = {
        branch.label: rows.params[:, ::2].mean()
        for branch, rows in simulator.layout.branches.items()
        if branch.component == "gate"
    }
    assert trust["b/gate"] < trust["a/gate"] - 0.1


def test_too_large_a_share_cannot_be_held_out():
    with pytest.raises(ConfigError, match="hold_out of parse-adaptive must be at least 2, not 1"):
        parse_adaptive(ParseAdaptive(hold_out=1))


def test_centralised_training_keeps_all_rows_of_a_branch_bit_equal():
    simulator = tiny_simulator(
        oracle(ParseOptions()), "a=1,b=2,a+b=1", network_spec=tiny_blueprint(dropout=0.2)
    )
    start = {branch: rows.params.clone() for branch, rows in simulator.layout.branches.items()}
    for _ in range(4):
        simulator.step()
        for branch, rows in simulator.layout.branches.items():
            assert torch.equal(rows.params, rows.params[:1].expand_as(rows.params))
            assert (rows.params != start[branch]).any()
    assert simulator.payload().total_bytes == 0
