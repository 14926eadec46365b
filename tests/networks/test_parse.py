from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from parse_dfl.agents import AgentSpec
from parse_dfl.errors import ConfigError
from parse_dfl.networks.parse import Gate, GatedParseNetwork, ParseNetwork
from tests.federation import CLASSES, WIDTHS, agent, assert_same_by_rows, stack_rows, tiny_blueprint
from tests.small import small_data, small_network_spec

BATCH = 4


def network(modalities="a+b", own=None, **config):
    return ParseNetwork(tiny_blueprint(own, **config), agent(modalities)).double()


def inputs(modalities, rows=()):
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.randn(*rows, BATCH, WIDTHS[name], dtype=torch.float64, generator=generator)
        for name in modalities.split("+")
    }


def plain_encoder(sample, hidden, dropout):
    """What a user may write: nothing of ours in it."""
    return nn.Sequential(nn.Linear(sample.shape[0], hidden), nn.Tanh())


def test_components_of_a_multimodal_and_a_unimodal_agent():
    assert set(network("a").parts) == {"a/backbone", "a/unique", "any/redundant"}
    assert set(network("a+b").parts) == {
        "a/backbone", "a/unique", "b/backbone", "b/unique", "any/redundant", "a+b/synergy",
    }  # fmt: skip


def test_three_modalities_have_three_pairs():
    parts = set(network("a+b+c").parts)
    assert {f"{pair}/synergy" for pair in ("a+b", "a+c", "b+c")} <= parts
    outputs = network("a+b+c")(inputs("a+b+c"))
    synergies = {name for name in outputs.slices if name.startswith("synergistic")}
    assert synergies == {"synergistic.a+b", "synergistic.a+c", "synergistic.b+c"}


@pytest.mark.parametrize(
    "split", [(1, 0, 0), (0, 1, 0), (1, 1, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1)]
)
@pytest.mark.parametrize("modalities", ["a", "a+b", "a+b+c"])
def test_the_prediction_is_the_sum_of_the_slices_logits(modalities, split):
    own = network(modalities, split=split)
    outputs = own(inputs(modalities))
    total = torch.stack(list(outputs.slice_logits.values())).sum(0)
    torch.testing.assert_close(outputs.logits, total, rtol=1e-12, atol=1e-12)
    assert outputs.logits.shape == (BATCH, CLASSES)
    count = len(modalities.split("+"))
    pairs = count * (count - 1) // 2
    expected = bool(split[0]) + count * bool(split[1]) + pairs * bool(split[2])
    assert len(outputs.slice_logits) == expected
    labels = [label.rpartition("/")[2] for label in own.parts]
    assert labels.count("redundant") == bool(split[0])
    assert labels.count("unique") == count * bool(split[1])
    assert labels.count("synergy") == pairs * bool(split[2])


def test_synergy_alone_predicts_from_pairs_only():
    own = network("a+b", split=(0, 0, 1))
    outputs = own(inputs("a+b"))
    assert set(outputs.slice_logits) == {"synergistic.a+b"}
    assert outputs.modality_logits == {}
    with pytest.raises(ConfigError, match="only synergy, which 'a' alone cannot predict from"):
        own(inputs("a"))
    with pytest.raises(ConfigError, match="leaves agent 'x' nothing to predict with"):
        network("a", split=(0, 0, 1))


def test_a_missing_modality_leaves_out_its_terms():
    own, given = network("a+b+c"), inputs("a+b+c")
    outputs = own({name: given[name] for name in ("a", "c")})
    assert set(outputs.slice_logits) == {"redundant", "unique.a", "unique.c", "synergistic.a+c"}
    whole = own(given)
    for name in ("unique.a", "unique.c", "synergistic.a+c"):
        assert torch.equal(outputs.slice_logits[name], whole.slice_logits[name])
    shared = (whole.slices["redundant.a"] + whole.slices["redundant.c"]) / 2
    expected = own.part("any", "redundant")(shared)
    torch.testing.assert_close(outputs.slice_logits["redundant"], expected)


def test_a_modality_alone_says_the_sum_of_its_redundant_and_unique_logits():
    own, given = network("a+b"), inputs("a+b")
    alone = own({"b": given["b"]})
    torch.testing.assert_close(own(given).modality_logits["b"], alone.logits)


@pytest.mark.parametrize("own", [{}, {"plain": plain_encoder}], ids=["ours", "plain"])
def test_the_network_of_rows_is_a_loop_over_agents(own):
    encoders = dict.fromkeys("ab", "plain") if own else {}

    def build():
        return network("a+b", own, encoders=encoders)

    class Joint(nn.Module):
        def __init__(self, network):
            super().__init__()
            self.network = network

        def forward(self, first, second):
            return self.network({"a": first, "b": second}).logits

    singles = [build() for _ in range(3)]
    for single in singles:
        for value in single.parameters():
            nn.init.normal_(value)
    joint = [Joint(single) for single in singles]
    stacked = stack_rows(lambda: Joint(build()), joint)
    assert_same_by_rows(stacked, joint, *inputs("a+b", (3,)).values())


def test_equal_components_start_equal_in_different_agents_and_seeds_differ():
    one, both = network("a"), network("a+b")
    for label in ("a/backbone", "a/unique", "any/redundant"):
        assert one.branches[label] == both.branches[label]
        rows = [
            torch.cat([value.flatten() for value in own.fresh(label, seed).parameters()])
            for own, seed in ((one, 0), (both, 0), (both, 1))
        ]
        assert torch.equal(rows[0], rows[1])
        assert not torch.equal(rows[0], rows[2])


def test_another_encoder_changes_the_backbone_and_its_synergy_but_no_head():
    usual, other = network("a+b"), network("a+b", encoders={"a": "mlp2"})
    changed = {label for label in usual.parts if usual.branches[label] != other.branches[label]}
    assert changed == {"a/backbone", "a+b/synergy"}


def test_an_unknown_fusion_is_refused_for_unimodal_agents_too():
    with pytest.raises(ConfigError, match="unknown fusion 'cat'"):
        network("a", fusion="cat")


BOTH = AgentSpec(name="x", modalities=("a", "b"))


def gated_network(agent=BOTH):
    torch.manual_seed(0)
    return GatedParseNetwork(small_network_spec(small_data()), agent).eval()


def gated_inputs():
    torch.manual_seed(1)
    return {"a": torch.randn(7, 3), "b": torch.randn(7, 4)}


def test_a_slice_is_weighted_by_its_reliability_and_by_how_sure_it_is():
    gate = Gate(2)
    unsure, sure = torch.zeros(1, 1, 3), torch.tensor([[[50.0, 0.0, 0.0]]])
    logits = torch.cat([unsure, sure])
    with torch.no_grad():
        gate.trust.copy_(torch.tensor([[0.0, 0.0], [math.log(2), 1.0]]))
    weight = 2 * math.exp(0.5)
    assert torch.allclose(gate(logits), weight * sure[0])


def test_rows_have_weights_of_their_own():
    gate = Gate(2)
    logits = torch.randn(2, 5, 6, 3)
    trust = torch.randn(5, 2, 2)
    alone = []
    for row in range(5):
        gate.trust = torch.nn.Parameter(trust[row])
        alone.append(gate(logits[:, row]))
    gate.trust = torch.nn.Parameter(trust)
    assert torch.allclose(gate(logits), torch.stack(alone), atol=1e-6)


def test_no_gradient_flows_through_the_weighted_sum_into_the_slices():
    network = gated_network()
    network(gated_inputs()).logits.square().sum().backward()
    reached = {name for name, value in network.named_parameters() if value.grad is not None}
    assert reached == {f"parts.{part}/gate.trust" for part in ("a", "b", "a+b")}


def test_an_agent_of_one_modality_has_no_gate_and_predicts_as_parse():
    outputs = gated_network(AgentSpec(name="x", modalities=("a",)))({"a": gated_inputs()["a"]})
    assert torch.equal(outputs.logits, outputs.modality_logits["a"])


def test_a_missing_modality_is_left_out():
    outputs = gated_network()({"b": gated_inputs()["b"]})
    assert torch.isfinite(outputs.logits).all()
    assert set(outputs.slice_logits) == {"redundant", "unique.b"}
