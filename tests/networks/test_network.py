from __future__ import annotations

import pytest
import torch
from torch import nn

from parse_dfl.errors import ConfigError
from parse_dfl.networks.layers import Linear
from parse_dfl.networks.network import Network, Outputs


def network(width=3, context="", build=Linear):
    own = Network()
    own.add("a", "head", lambda: build(4, width), context)
    return own


def branch(*args, **kwargs):
    return network(*args, **kwargs).branches["a/head"]


def test_a_component_is_found_by_its_names():
    own = network()
    assert own.has("a", "head")
    assert not own.has("b", "head")
    assert own.part("a", "head") is own.parts["a/head"]


def test_a_signature_is_the_architecture_and_its_context():
    def without_bias(*widths):
        return Linear(*widths, bias=False)

    assert branch() == branch()
    others = [branch(width=2), branch(context="elsewhere"), branch(build=without_bias)]
    assert len({branch(), *others}) == 4


def test_weights_come_from_the_seed_and_the_branch_alone():
    first = network().fresh("a/head", 1)
    torch.manual_seed(99)
    state = torch.random.get_rng_state()
    again, other = network().fresh("a/head", 1), network().fresh("a/head", 2)
    assert torch.equal(first.weight, again.weight)
    assert not torch.equal(first.weight, other.weight)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_frozen_weights_are_the_same_under_every_seed_and_build():
    def frozen():
        return nn.Sequential(Linear(4, 3).requires_grad_(False), Linear(3, 2))

    def build(*_):
        return frozen()

    first, again = (network(build=build).part("a", "head")[0].weight for _ in range(2))
    assert torch.equal(first, again)


def test_other_frozen_weights_make_another_branch():
    def pretrained(value):
        def build(*_):
            first = Linear(4, 3).requires_grad_(False)
            nn.init.constant_(first.weight, value)
            return nn.Sequential(first, Linear(3, 2))

        return build

    assert branch(build=pretrained(1.0)) == branch(build=pretrained(1.0))
    assert branch(build=pretrained(1.0)) != branch(build=pretrained(2.0))


def test_components_with_batch_norm_are_refused():
    with pytest.raises(ConfigError, match="BatchNorm1d"):
        network(build=lambda *_: nn.BatchNorm1d(4))


def test_a_network_must_say_how_it_predicts():
    with pytest.raises(NotImplementedError):
        network()({})


def test_every_tensor_of_the_outputs_is_changed():
    one = torch.ones(2, 3)
    every = {"x": one}
    outputs = Outputs(one, every, every, every, every, every, one).map(lambda value: value[:1])
    told = vars(outputs).values()
    tensors = [value["x"] if isinstance(value, dict) else value for value in told]
    assert [tuple(value.shape) for value in tensors] == [(1, 3)] * 7
    assert Outputs(one).map(torch.neg).mean_logits is None
