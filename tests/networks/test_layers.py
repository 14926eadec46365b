from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from parse_dfl.errors import ConfigError
from parse_dfl.networks import layers
from parse_dfl.networks.counter_rng import CounterRng, use_rng
from tests.federation import assert_same_by_rows, rows_module

ROWS, BATCH = 3, 4
CONVOLUTIONS = {1: layers.Conv1d, 2: layers.Conv2d, 3: layers.Conv3d}
CONVOLVED = [
    # axes, size of each axis, settings
    pytest.param(1, 7, {"kernel_size": 3, "stride": 2, "padding": 1}, id="1d-odd"),
    pytest.param(1, 9, {"kernel_size": 4, "stride": 4}, id="1d-patches-left-over"),
    pytest.param(1, 8, {"kernel_size": 4, "stride": 4}, id="1d-patches"),
    pytest.param(1, 6, {"kernel_size": 3, "groups": 2, "dilation": 2}, id="1d-groups-dilated"),
    pytest.param(1, 6, {"kernel_size": 3, "stride": 3, "groups": 2}, id="1d-patches-groups"),
    pytest.param(1, 5, {"kernel_size": 3, "padding": "same"}, id="1d-same"),
    pytest.param(2, 5, {"kernel_size": 3, "stride": 2, "padding": 1}, id="2d-odd"),
    pytest.param(2, 6, {"kernel_size": 2, "stride": 2}, id="2d-patches"),
    pytest.param(2, 7, {"kernel_size": (2, 3), "stride": (2, 3)}, id="2d-patches-left-over"),
    pytest.param(2, 5, {"kernel_size": 3, "groups": 2}, id="2d-groups"),
    pytest.param(3, 3, {"kernel_size": 3, "stride": 2, "padding": 1}, id="3d-odd"),
    pytest.param(3, 4, {"kernel_size": 2, "stride": 2}, id="3d-patches"),
    pytest.param(3, 5, {"kernel_size": 2, "dilation": 2}, id="3d-dilated"),
]


def samples(*shape, rows=ROWS):
    return torch.randn(rows, BATCH, *shape, dtype=torch.float64)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("axes", "size", "settings"), CONVOLVED)
def test_a_convolution_of_rows_is_a_loop_over_agents(axes, size, settings, bias):
    def build():
        return CONVOLUTIONS[axes](2, 4, bias=bias, **settings)

    assert_same_by_rows(*rows_module(build, ROWS), samples(2, *[size] * axes))


@settings(max_examples=30, deadline=None)
@given(
    axes=st.integers(1, 3),
    size=st.integers(1, 7),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 3),
    padding=st.integers(0, 1),
)
def test_any_window_works_by_rows(axes, size, kernel, stride, padding):
    size = max(size, kernel)

    def build():
        return CONVOLUTIONS[axes](1, 2, kernel, stride=stride, padding=padding)

    assert_same_by_rows(*rows_module(build, 2), samples(1, *[size] * axes, rows=2))


@pytest.mark.parametrize(
    ("build", "shape"),
    [
        pytest.param(lambda: layers.Linear(5, 3), (5,), id="linear"),
        pytest.param(lambda: layers.Linear(5, 3, bias=False), (5,), id="linear-no-bias"),
        pytest.param(lambda: layers.LayerNorm(5), (5,), id="layer-norm"),
        pytest.param(lambda: layers.GroupNorm(2, 4, axes=1), (4, 3), id="group-norm-1d"),
        pytest.param(lambda: layers.GroupNorm(1, 2, axes=3), (2, 3, 1, 2), id="group-norm-3d"),
        pytest.param(
            lambda: nn.Sequential(
                layers.Conv1d(2, 4, 3, padding=1), layers.GroupNorm(2, 4, axes=1), layers.ReLU()
            ),
            (2, 5),
            id="group-norm-1d-after-a-convolution",
        ),
        pytest.param(lambda: layers.ChannelsFirst(1, has_channels=True), (3, 2), id="channels"),
        pytest.param(lambda: layers.ChannelsFirst(2, has_channels=False), (3, 2), id="no-channels"),
        pytest.param(lambda: layers.GlobalPool(2), (2, 3, 3), id="pool"),
        pytest.param(lambda: layers.FlattenSample(3), (2, 3, 3), id="flatten"),
        pytest.param(lambda: layers.FlattenSample(1), (4,), id="flatten-vector"),
    ],
)
def test_every_other_layer_of_rows_is_a_loop_over_agents(build, shape):
    assert_same_by_rows(*rows_module(build, ROWS), samples(*shape))


@pytest.mark.parametrize(
    ("build", "shape"),
    [
        (lambda: layers.Linear(5, 3), (5,)),
        (lambda: layers.Conv1d(2, 3, 3), (2, 5)),
        (lambda: layers.Conv2d(2, 3, 2, stride=2), (2, 4, 4)),
        (lambda: layers.Conv3d(2, 3, 2), (2, 3, 3, 3)),
        (lambda: layers.GroupNorm(1, 2, axes=2), (2, 3, 3)),
        (lambda: layers.LayerNorm(4), (4,)),
    ],
)
def test_frozen_weights_are_shared_by_all_rows(build, shape):
    def frozen():
        return build().requires_grad_(False)

    assert_same_by_rows(*rows_module(frozen, ROWS), samples(*shape))


def test_normalisation_is_that_of_torch():
    values = samples(4, 3)[0]
    ours, theirs = layers.GroupNorm(2, 4, axes=1).double(), nn.GroupNorm(2, 4).double()
    torch.testing.assert_close(ours(values), theirs(values), rtol=1e-12, atol=1e-12)
    ours, theirs = layers.LayerNorm(3).double(), nn.LayerNorm(3).double()
    torch.testing.assert_close(ours(values), theirs(values), rtol=1e-12, atol=1e-12)


def test_padding_other_than_zeros_is_refused():
    with pytest.raises(
        ConfigError, match=r"Conv1d pads with zeros only, not 'circular'; use torch"
    ):
        layers.Conv1d(1, 1, 3, padding=1, padding_mode="circular")


def test_dropout_keeps_the_mean_and_does_nothing_outside_of_training():
    dropout, ones = layers.Dropout(0.25), torch.ones(2, 50, 400, dtype=torch.float64)
    with use_rng(torch.tensor([1, 2])):
        dropped = dropout(ones)
        assert sorted(dropped.unique().tolist()) == [0, 1 / 0.75]
        assert (dropped.mean() - 1).abs() < 5 * (0.25 / 0.75 / ones.numel()) ** 0.5
        assert layers.Dropout(0)(ones) is ones
        assert dropout.eval()(ones) is ones
    assert dropout.train()(ones) is ones


@pytest.mark.parametrize("p", [0.001, 0.999])
def test_dropout_is_finite_and_neither_all_nor_nothing_at_the_ends(p):
    with use_rng(torch.tensor([1, 2])):
        dropped = layers.Dropout(p)(torch.ones(2, 50, 400))
    assert dropped.isfinite().all()
    assert (dropped > 0).any()


def test_a_mask_belongs_to_its_agent():
    dropout, ones = layers.Dropout(0.5), torch.ones(3, 4, 5)
    keys = torch.tensor([5, 6, 7])
    with use_rng(keys):
        together = dropout(ones)
    with use_rng(keys[1:2]):
        alone = dropout(ones[1:2])
    assert torch.equal(alone[0], together[1])
    assert torch.equal(CounterRng(keys).keep(0.5, ones.shape), together > 0)


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (layers.GroupNorm(1, 4, axes=2), "axes=2"),
        (layers.Dropout(0.3), "p=0.3"),
        (layers.ChannelsFirst(1, has_channels=False), "axes=1, has_channels=False"),
        (layers.GlobalPool(3), "axes=3"),
        (layers.FlattenSample(2), "axes=2"),
    ],
)
def test_settings_show_in_the_text_that_signatures_are_made_of(layer, text):
    assert text in repr(layer)


@pytest.mark.parametrize("axes", [1, 2])
def test_the_gradient_of_pooling_is_that_of_mean_and_maximum(axes):
    input = torch.randn(ROWS, BATCH, 2, *[3] * axes, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(ROWS, BATCH, 4, dtype=torch.float64)
    pooled = layers.GlobalPool(axes)(input)
    places = tuple(range(-axes, 0))
    plain = torch.cat([input.mean(places), input.amax(places)], -1)
    assert torch.equal(pooled, plain)
    own, expected = (torch.autograd.grad(x, input, weight)[0] for x in (pooled, plain))
    torch.testing.assert_close(own, expected, rtol=0, atol=1e-15)


def test_of_equal_largest_entries_the_first_has_the_gradient():
    input = torch.tensor([[[1.0, 1.0, 0.0]]], requires_grad=True)
    (gradient,) = torch.autograd.grad(layers.GlobalPool(1)(input)[..., 1].sum(), input)
    assert gradient.tolist() == [[[1.0, 0.0, 0.0]]]


def operands(outputs, *, bias=True):
    generator = torch.Generator().manual_seed(0)
    shapes = [(3, 5, 4), (3, outputs, 4)] + ([(3, outputs)] if bias else [])
    made = [torch.randn(*shape, dtype=torch.float64, generator=generator) for shape in shapes]
    return [value.requires_grad_() for value in made]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("outputs", [1, layers.NARROW - 1, layers.NARROW, layers.NARROW + 1])
def test_each_row_is_a_linear_layer_of_its_own(outputs, bias):
    values = operands(outputs, bias=bias)
    product = layers.batched_linear(*values, *([] if bias else [None]))
    rows = [torch.nn.functional.linear(*row) for row in zip(*values, strict=True)]
    assert torch.allclose(product, torch.stack(rows), rtol=1e-14, atol=1e-14)
    assert product.is_contiguous()
    seed = torch.arange(product.numel(), dtype=product.dtype).view_as(product)
    found = torch.autograd.grad(product, values, seed)
    expected = torch.autograd.grad(torch.stack(rows), values, seed)
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-13, atol=1e-13)


def test_it_is_the_same_without_gradients():
    values = operands(3)
    with torch.no_grad():
        alone = layers.batched_linear(*values)
    assert torch.equal(alone, layers.batched_linear(*values))


def test_autocast_computes_in_the_lower_precision():
    values = [value.detach().float().requires_grad_() for value in operands(20)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        product = layers.batched_linear(*values)
    assert product.dtype is torch.bfloat16
    assert all(g.dtype is torch.float32 for g in torch.autograd.grad(product.sum(), values))
