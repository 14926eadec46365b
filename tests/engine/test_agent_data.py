from __future__ import annotations

import numpy as np
import pytest
import torch

from parse_dfl.agents import AgentMix, Kind
from parse_dfl.data.mapping import from_mapping
from parse_dfl.data.standardise import fit
from parse_dfl.engine.agent_data import AgentData, StackData, TensorData
from parse_dfl.engine.agent_stack import log_prior
from parse_dfl.engine.gossip_standardisation import agree
from parse_dfl.overlays.topologies import Topology
from tests.small import federation


def test_each_agent_standardises_by_its_own_samples():
    simulator = federation(sizes=(12, 7, 20), agents="a=3")
    (stack,), data = simulator.layout.stacks, simulator.trainer.data.source
    raw = simulator.trainer.data.modalities["a"][:30].unsqueeze(0)
    standard = stack.data.standardise("a", raw)
    for row, shard in enumerate(simulator.trainer.agent_data):
        own = fit(data.modalities["a"][shard.indices], data.kinds["a"])
        assert torch.allclose(
            standard[row].float(), torch.tensor(own.apply(raw[0].float().numpy()))
        )
        count = len(shard.indices)
        assert stack.data.sizes[row] == count
        expected = own.apply(data.modalities["a"][shard.indices])
        assert np.allclose(stack.data.inputs["a"][row, :count].numpy(), expected, atol=1e-5)
        assert stack.data.label[row, :count].tolist() == data.label[shard.indices].tolist()


def test_the_prior_of_a_class_that_an_agent_never_saw_is_finite():
    prior = log_prior(torch.tensor([[0.0, 3.0, 1.0]]))
    assert prior.isfinite().all()
    assert torch.allclose(prior.exp(), torch.tensor([[0.5, 3.5, 1.5]]) / 5.5)


def columns(unit=1.0, offset=0.0):
    values = np.random.default_rng(0).normal(size=(40, 3))
    values[:, 0] = (values[:, 0] + offset) * unit
    return from_mapping("mine", {"a": values}, np.arange(40) % 2)


def test_a_narrow_type_rounds_after_standardisation():
    plain, far = (
        StackData(TensorData(data, torch.device("cpu"), torch.bfloat16), two_owners()).inputs["a"]
        for data in (columns(), columns(offset=1000))
    )
    assert plain.dtype == torch.bfloat16
    assert torch.allclose(plain, far, atol=0.02)


def two_owners():
    agents = AgentMix.from_string("a=2").agents()
    return [AgentData(agent, np.arange(20) + 20 * i) for i, agent in enumerate(agents)]


@pytest.mark.parametrize(
    ("unit", "offset"), [(1, 1.7e9 / 20), (1e6, 0), (1e-40, 0), (1e-44, 5.0), (1e60, 0)]
)
@pytest.mark.parametrize("rule", ["own", "agreed"])
def test_a_unit_or_an_offset_changes_nothing_of_what_is_trained_on(rule, unit, offset):
    found = []
    for data in (columns(), columns(unit, offset)):
        shards = two_owners()
        if rule == "agreed":
            shards, _ = agree(data, shards, Topology.of("ring"))
        tensors = TensorData(data, torch.device("cpu"), torch.float32)
        found.append(StackData(tensors, shards).inputs["a"])
    assert torch.allclose(found[0], found[1], atol=1e-5)


def test_float32_beside_the_smallest_numbers_stays_finite():
    values = np.zeros((40, 3), np.float32)
    values[:, 0] = np.arange(40)
    values[0, 1] = np.finfo(np.float32).smallest_subnormal
    values[1, 2] = 1e-37
    values[25, 2] = 1.0
    data = from_mapping("mine", {"a": values}, np.arange(40) % 2)
    tensors = TensorData(data, torch.device("cpu"), torch.float32)
    inputs = StackData(tensors, two_owners()).inputs["a"]
    assert inputs.isfinite().all()
    for row, shard in enumerate(two_owners()):
        own = fit(values[shard.indices], Kind.VECTOR).apply(values[shard.indices])
        assert np.allclose(inputs[row], own, atol=1e-4)
