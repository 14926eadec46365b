from __future__ import annotations

import pytest
import torch
from torch import nn

from parse_dfl.config.methods import ParseOptions
from parse_dfl.engine.agent_io import trained_agent
from parse_dfl.methods.base import hybrid
from parse_dfl.methods.parse import parse_method, parse_objective
from parse_dfl.networks.layers import Dropout
from parse_dfl.networks.losses import Batch, cross_entropy, modality_loss, supervised_contrastive
from parse_dfl.networks.parse import GatedParseNetwork, ParseNetwork
from tests.federation import CLASSES, WIDTHS, agent, thetas, tiny_blueprint, tiny_simulator

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
