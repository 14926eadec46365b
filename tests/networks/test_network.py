from __future__ import annotations

import re

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import nn

from parse_dfl.errors import ConfigError
from parse_dfl.networks.layers import Linear
from parse_dfl.networks.network import Network, Outputs, slice_widths
from parse_dfl.networks.vmapped import VmappedModule
from tests.federation import agent, tiny_blueprint


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


def test_a_hash_is_the_architecture_and_its_context():
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


RATIOS = st.one_of(st.just(0.0), st.floats(0.01, 100))


@given(st.integers(3, 200), st.tuples(RATIOS, RATIOS, RATIOS).filter(any))
@example(3, (1000.0, 1.0, 1.0))
def test_slices_add_up_to_the_latent_and_are_there_as_asked(latent, split):
    widths = slice_widths(latent, split)
    assert sum(widths) == latent
    assert [width > 0 for width in widths] == [ratio > 0 for ratio in split]


@given(st.integers(20, 200), st.tuples(*[st.floats(1, 5)] * 3))
def test_widths_follow_the_ratios(latent, split):
    exact = [latent * ratio / sum(split) for ratio in split]
    assert all(abs(a - b) <= 2 for a, b in zip(slice_widths(latent, split), exact, strict=True))


@pytest.mark.parametrize("split", [(0, 0, 0), (1, -1, 1), (1, 1)])
def test_a_split_that_cannot_be_used_is_refused(split):
    with pytest.raises(ConfigError, match=r"split .* must be three ratios, none negative"):
        slice_widths(9, split)


def test_a_latent_narrower_than_its_slices_is_refused():
    with pytest.raises(ConfigError, match="latent 2 is narrower than its slices"):
        slice_widths(2, (1, 1, 1))
    assert slice_widths(2, (1, 1, 0)) == (1, 1, 0)


def kind_of_trunk(network_spec, who, modality="a"):
    trunk = network_spec.encoder(who, modality)
    return trunk.module.name if isinstance(trunk, VmappedModule) else "default"


def test_the_agents_own_choice_goes_before_its_groups_and_the_modalitys():
    class Named(nn.Linear):
        def __init__(self, name):
            super().__init__(3, 5)
            self.name = name

    own = {name: lambda *_, name=name: Named(name) for name in ("one", "two", "three")}
    network_spec = tiny_blueprint(own, encoders={"a": "one", "a+b:a": "two"})
    assert kind_of_trunk(network_spec, agent("a")) == "one"
    assert kind_of_trunk(network_spec, agent("a+b")) == "two"
    assert kind_of_trunk(network_spec, agent("a+b", encoders=(("a", "three"),))) == "three"
    assert kind_of_trunk(network_spec, agent("a+b"), "b") == "default"


def test_an_unknown_encoder_is_refused():
    with pytest.raises(ConfigError, match="unknown encoder 'resnet'"):
        tiny_blueprint(encoders={"a": "resnet"}).encoder(agent("a"), "a")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda *_: nn.Linear(3, 4), "turns 2 samples into (2, 4); it must give (2, 5)"),
        (lambda *_: nn.Linear(7, 5), "cannot read samples of shape (3,)"),
        (lambda *_: None, "encoder of 'a' must be a function that returns a torch module, and it"),
    ],
)
def test_an_own_encoder_that_does_not_fit_is_refused(build, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        tiny_blueprint({"own": build}, encoders={"a": "own"}).encoder(agent("a"), "a")
