import math

import torch

from parse_dfl.agents import AgentSpec
from parse_dfl.networks.gated import Gate, GatedParseNetwork
from tests.small import small_data, small_network_spec

BOTH = AgentSpec(name="x", modalities=("a", "b"))


def small_network(agent=BOTH):
    torch.manual_seed(0)
    return GatedParseNetwork(small_network_spec(small_data()), agent).eval()


def small_inputs():
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
