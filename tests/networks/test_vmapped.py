from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn

from parse_dfl.errors import ConfigError
from parse_dfl.networks import layers
from parse_dfl.networks.counter_rng import use_rng
from parse_dfl.networks.vmapped import VmappedModule, batched
from tests.federation import assert_same_by_rows, rows_module, stack_rows

ROWS, BATCH = 3, 4
KEYS = torch.tensor([5, 6, 7])


class Residual(nn.Module):
    """A module of the user's own; ``branchy`` ones look at values, which vmap cannot."""

    def __init__(self, branchy=False, dropout=None):
        super().__init__()
        self.linear = nn.Linear(6, 6)
        self.scale = nn.Parameter(torch.ones(()))
        self.dropout = dropout or nn.Identity()
        self.branchy = branchy

    def forward(self, input):
        out = input + self.scale * self.dropout(self.linear(input)).tanh()
        return out * 2 if self.branchy and out.sum() > 0 else out


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 3)

    def forward(self, first, second):
        return self.linear(first) * second


MODULES = {
    "linear": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(6, 3), nn.ReLU()), (2, 3)),
    "conv1d": (lambda: nn.Sequential(nn.Conv1d(2, 3, 3), nn.ReLU(), nn.Flatten()), (2, 5)),
    "conv2d": (lambda: nn.Sequential(nn.Conv2d(2, 4, 3, stride=2), nn.GroupNorm(2, 4)), (2, 5, 5)),
    "norm": (lambda: nn.Sequential(nn.Linear(6, 4), nn.LayerNorm((2, 4))), (2, 6)),
    "mixed": (lambda: nn.Sequential(layers.Linear(6, 4), nn.Linear(4, 2), nn.Softsign()), (6,)),
    "padding": (lambda: nn.Conv1d(2, 3, 3, padding=1, padding_mode="circular"), (2, 5)),
    "residual": (Residual, (6,)),
}


def samples(shape, rows=ROWS):
    return torch.randn(rows, BATCH, *shape, dtype=torch.float64)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("name", MODULES)
def test_a_users_module_mapped_or_looped_over_rows_is_a_loop_over_agents(name):
    build, shape = MODULES[name]
    stacked, singles = rows_module(lambda: batched(build()), ROWS)
    assert isinstance(stacked, VmappedModule)
    assert_same_by_rows(stacked, singles, samples(shape))
    assert not stacked._loops
    stacked.zero_grad()
    for single in singles:
        single.zero_grad()
    stacked._loops = True
    assert_same_by_rows(stacked, singles, samples(shape))


ADOPTED = {
    "linear": (lambda: nn.Linear(6, 3, bias=False), (6,)),
    "norm": (lambda: nn.Sequential(nn.Linear(6, 4), nn.LayerNorm(4), nn.GELU()), (6,)),
    "conv1d": (lambda: nn.Conv1d(2, 3, 3, dilation=2), (2, 7)),
    "conv2d": (lambda: nn.Sequential(nn.Conv2d(2, 4, 3, padding="same"), nn.ReLU()), (2, 5, 5)),
    "conv3d": (lambda: nn.Conv3d(2, 4, 2, stride=2, groups=2), (2, 4, 4, 4)),
    "mixed": (lambda: nn.Sequential(layers.Linear(6, 4), nn.Sequential(nn.Linear(4, 2))), (6,)),
    "times": (
        lambda: nn.Sequential(nn.Linear(6, 4), nn.LayerNorm(4), layers.FlattenSample(2)),
        (5, 6),
    ),
}


@pytest.mark.parametrize("name", ADOPTED)
def test_plain_layers_of_torch_are_batched_over_rows_by_hand(name):
    build, shape = ADOPTED[name]
    plain = build()
    described = repr(plain), dict(plain.named_parameters())
    module = batched(plain)
    assert not isinstance(module, VmappedModule)
    assert (repr(module), dict(module.named_parameters())) == described
    assert_same_by_rows(*rows_module(lambda: batched(build()), ROWS), samples(shape))


def test_a_subclass_of_a_layer_keeps_what_it_does():
    class Doubled(nn.Linear):
        def forward(self, input):
            return 2 * super().forward(input)

    stacked, singles = rows_module(lambda: batched(Doubled(6, 3)), ROWS)
    assert isinstance(stacked, VmappedModule)
    assert_same_by_rows(stacked, singles, samples((6,)))


def test_what_vmap_cannot_do_runs_as_a_loop_and_says_so_once():
    stacked, singles = rows_module(lambda: batched(Residual(branchy=True)), ROWS)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        stacked(samples((6,)))
        stacked(samples((6,)))
    assert len(caught) == 1
    assert "Residual cannot be vectorised over agents and runs as a loop (" in str(
        caught[0].message
    )
    assert_same_by_rows(stacked, singles, samples((6,)))


def test_several_inputs_are_mapped_together():
    stacked, singles = rows_module(lambda: batched(Outer()), ROWS)
    assert_same_by_rows(stacked, singles, samples((2,)), samples((3,)))


def test_modules_of_our_own_layers_are_left_as_they_are():
    ours = nn.Sequential(layers.Linear(6, 4), nn.ReLU(), nn.Sequential(layers.Dropout(0.1)))
    assert batched(ours) is ours
    module = batched(Residual())
    around = nn.Sequential(module, layers.Linear(6, 2))
    assert batched(around) is around
    assert batched(module) is module


def test_a_layer_that_is_frozen_in_part_works_by_rows():
    def build():
        linear = layers.Linear(6, 4)
        linear.bias.requires_grad_(False)
        return batched(nn.Sequential(linear, nn.ReLU()))

    assert_same_by_rows(*rows_module(build, ROWS), samples((6,)))


def test_a_module_that_is_frozen_in_part_works_by_rows():
    def build():
        return batched(nn.Sequential(nn.Linear(6, 4).requires_grad_(False), nn.Linear(4, 2)))

    assert_same_by_rows(*rows_module(build, ROWS), samples((6,)))


def test_a_wholly_frozen_module_takes_rows_and_single_agents():
    def build():
        return batched(nn.Conv2d(2, 3, 3).requires_grad_(False), sample_axes=3)

    assert_same_by_rows(*rows_module(build, ROWS), samples((2, 4, 4)))


@pytest.mark.parametrize("norm", [nn.BatchNorm1d(3), nn.BatchNorm2d(3), nn.SyncBatchNorm(3)])
def test_batch_norm_is_refused_by_name_with_its_replacement(norm):
    module = nn.Sequential(nn.Linear(3, 3), nn.Sequential(norm))
    message = f"{type(norm).__name__} at '1.0' of Sequential: .*; use torch.nn.GroupNorm instead"
    with pytest.raises(ConfigError, match=message):
        batched(module)
    with pytest.raises(ConfigError, match="at 'the root' of BatchNorm1d"):
        batched(nn.BatchNorm1d(3))


def test_torch_dropout_warns_and_repeats_for_the_same_keys():
    with pytest.warns(
        UserWarning, match=r"uses torch.nn.Dropout: its runs repeat only on the same"
    ):
        module = batched(nn.Sequential(nn.Linear(6, 50), nn.Dropout(0.5)))
    stacked, _ = rows_module(lambda: module, ROWS)
    values = samples((6,))
    outputs = []
    for keys in (KEYS, KEYS, KEYS + 1):
        state = torch.random.get_rng_state()
        with use_rng(keys):
            outputs.append(stacked(values))
        assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])
    assert len({str((row == 0).tolist()) for row in outputs[0]}) == ROWS


@pytest.mark.parametrize("loops", [False, True])
def test_our_dropout_inside_a_users_module_belongs_to_the_agent(loops):
    def build():
        return batched(Residual(dropout=layers.Dropout(0.5)))

    stacked, singles = rows_module(build, ROWS)
    single = stack_rows(build, singles[1:2])
    stacked._loops = loops
    values = samples((6,))
    with use_rng(KEYS):
        together = stacked(values)
    with use_rng(KEYS[1:2]):
        alone = single(values[1:2])
    torch.testing.assert_close(alone[0], together[1], rtol=1e-12, atol=1e-12)
    with use_rng(KEYS[[0, 0, 0]]):
        same = stacked(values)
    assert not torch.allclose(same[1], together[1])
