from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from torch import nn

from parse_dfl.errors import ConfigError
from parse_dfl.networks.network_spec import slice_widths
from parse_dfl.networks.vmapped import VmappedModule
from tests.federation import agent, tiny_blueprint

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
    trunk = network_spec.trunk(who, modality)
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
        tiny_blueprint(encoders={"a": "resnet"}).trunk(agent("a"), "a")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda *_: nn.Linear(3, 4), "turns 2 samples into (2, 4); it must give (2, 5)"),
        (lambda *_: nn.Linear(7, 5), "cannot read samples of shape (3,)"),
    ],
)
def test_an_own_encoder_of_the_wrong_width_is_refused(build, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        tiny_blueprint({"own": build}, encoders={"a": "own"}).trunk(agent("a"), "a")
