import math

import torch

from parse_dfl.agents import AgentSpec
from parse_dfl.networks.gated import Gate, GatedParseNetwork, weigh
from tests.small import small_data, small_network_spec

BOTH = AgentSpec(name="x", modalities=("a", "b"))


def small_network(agent=BOTH):
    torch.manual_seed(0)
    return GatedParseNetwork(small_network_spec(small_data()), agent).eval()


def small_inputs():
    torch.manual_seed(1)
    return {"a": torch.randn(7, 3), "b": torch.randn(7, 4)}


def test_a_slice_is_weighted_by_its_reliability_and_by_how_sure_it_is():
    unsure, sure = torch.zeros(1, 1, 3), torch.tensor([[[50.0, 0.0, 0.0]]])
    trust = torch.tensor([[0.0, 0.0], [math.log(2), 1.0]])
    weighted = weigh(torch.cat([unsure, sure]), trust)
    assert torch.allclose(weighted, torch.cat([unsure, 2 * math.exp(0.5) * sure]))


def test_rows_have_weights_of_their_own():
    logits = torch.randn(2, 5, 6, 3)
    gate = Gate(2)
    gate.trust = torch.nn.Parameter(torch.randn(5, 2, 2))
    alone = [weigh(logits[:, row], gate.trust[row]) for row in range(5)]
    assert torch.allclose(weigh(logits, gate()), torch.stack(alone, 1), atol=1e-6)


def test_the_prediction_is_the_sum_of_the_weighted_slices():
    outputs = small_network()(small_inputs())
    names = {f"{kind}.{m}" for kind in ("redundant", "unique") for m in "ab"} | {"synergistic.a+b"}
    assert set(outputs.weighted) == names
    total = torch.stack(list(outputs.weighted.values())).sum(0)
    assert torch.allclose(outputs.logits, total)
    first = outputs.map(lambda value: value[:1])
    assert all(len(value) == 1 for value in (first.logits, *first.weighted.values()))


def test_no_gradient_flows_through_the_weighted_sum_into_the_slices():
    network = small_network()
    network(small_inputs()).logits.square().sum().backward()
    reached = {name for name, value in network.named_parameters() if value.grad is not None}
    assert reached == {f"parts.{part}/gate.trust" for part in ("a", "b", "a+b")}


def test_an_agent_of_one_modality_has_no_gate_and_predicts_as_parse():
    outputs = small_network(AgentSpec(name="x", modalities=("a",)))({"a": small_inputs()["a"]})
    assert torch.equal(outputs.logits, outputs.modality_logits["a"])


def test_a_missing_modality_is_left_out():
    outputs = small_network()({"b": small_inputs()["b"]})
    assert torch.isfinite(outputs.logits).all()
    assert set(outputs.slice_logits) == {"redundant", "unique.b"}
