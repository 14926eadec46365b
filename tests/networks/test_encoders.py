from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from parse_dfl.agents import Kind
from parse_dfl.errors import ConfigError
from parse_dfl.networks.encoders import DEFAULT_ENCODER, ENCODERS, SampleShape, encoder_builder
from tests.federation import assert_same_by_rows, rows_module

SHAPES = {
    Kind.VECTOR: [(7,)],
    Kind.SERIES: [(9, 2), (9,)],
    Kind.IMAGE: [(5, 6), (5, 5, 3)],
    Kind.VIDEO: [(3, 5, 5), (3, 4, 4, 3)],
}
SAMPLES = [SampleShape("m", kind, shape) for kind, shapes in SHAPES.items() for shape in shapes]


def drawn(sample):
    """Samples of the same kind and number of axes, of any size."""
    sizes = st.tuples(*[st.integers(1, 7)] * len(sample.shape))
    return sizes.map(lambda shape: SampleShape("m", sample.kind, shape))


@pytest.mark.parametrize("name", [None, "mlp2"])
@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_a_trunk_of_rows_is_a_loop_over_agents(sample, name):
    torch.manual_seed(0)
    build = encoder_builder(name, sample, {})
    stacked, singles = rows_module(lambda: build(sample, 4, 0.3), 2)
    inputs = torch.randn(2, 3, *sample.shape)
    assert singles[0](inputs[0].double()).shape == (3, 4)
    assert_same_by_rows(stacked, singles, inputs)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(SAMPLES).flatmap(drawn))
def test_the_default_of_a_kind_fits_every_shape_of_it(sample):
    trunk = encoder_builder(None, sample, {})(sample, 4, 0.0)
    assert trunk(torch.randn(2, *sample.shape)).shape == (2, 4)


def test_every_kind_has_a_default_and_channels_are_read_off_the_last_axis():
    assert set(DEFAULT_ENCODER) == set(Kind)
    assert set(DEFAULT_ENCODER.values()) <= set(ENCODERS)
    assert SampleShape("m", Kind.SERIES, (9, 2)).channels == 2
    assert SampleShape("m", Kind.IMAGE, (5, 6)).channels == 1


def test_an_own_encoder_is_found_by_its_name_and_fits_any_kind():
    own = {"mine": ENCODERS["mlp"], "conv1d": ENCODERS["mlp2"]}
    vector = SampleShape("m", Kind.VECTOR, (7,))
    assert encoder_builder("mine", vector, own) is ENCODERS["mlp"]
    assert encoder_builder("conv1d", vector, own) is ENCODERS["mlp2"]


def test_an_unknown_encoder_offers_the_nearest():
    with pytest.raises(ConfigError, match="unknown encoder 'conv1'; did you mean 'conv1d'"):
        encoder_builder("conv1", SAMPLES[0], {})


def test_an_encoder_of_another_kind_is_refused():
    message = r"'conv2d' reads image samples, but 'm' is a vector \(7,\); use mlp, mlp2 or mlp"
    with pytest.raises(ConfigError, match=message):
        encoder_builder("conv2d", SampleShape("m", Kind.VECTOR, (7,)), {})
