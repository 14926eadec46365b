from __future__ import annotations

import pytest
import torch

from parse_dfl.errors import ConfigError
from parse_dfl.networks.counter_rng import use_rng
from parse_dfl.networks.faithful import FaithfulNetwork, sample_channel, sample_noise
from tests.federation import WIDTHS, agent, tiny_blueprint

BATCH = 6


def network(modalities="a+b", **config):
    return FaithfulNetwork(tiny_blueprint(**config), agent(modalities))


def inputs(modalities):
    generator = torch.Generator().manual_seed(0)
    return {m: torch.randn(BATCH, WIDTHS[m], generator=generator) for m in modalities.split("+")}


def test_the_prediction_is_the_sum_of_its_slices_with_and_without_noise():
    net = network()
    outputs = net(inputs("a+b"))
    names = ["redundant", "unique.a", "unique.b", "synergistic.a+b"]
    assert list(outputs.slice_logits) == names
    torch.testing.assert_close(outputs.logits, sum(outputs.slice_logits.values()))
    assert set(outputs.means) == set(outputs.slices) | set(outputs.sides)
    r = (outputs.means["redundant.a"] + outputs.means["redundant.b"]) / 2
    s = net.part("a+b", "synergy")
    sides = [outputs.means[f"synergistic.a+b.{m}"] for m in "ab"]
    expected = net.part("any", "redundant")(r) + s.head(s.fuse(*sides))
    expected = expected + sum(net.part(m, "unique")(outputs.means[f"unique.{m}"]) for m in "ab")
    torch.testing.assert_close(outputs.mean_logits, expected)


def test_means_are_bounded_and_read_through_noise():
    outputs = network()(inputs("a+b"))
    assert all(outputs.means[name].abs().max() < 1 for name in ("redundant.a", "unique.b"))
    assert all(
        not torch.equal(value, outputs.means[name]) for name, value in outputs.slices.items()
    )


def reached(net, loss):
    """The components that a loss trains."""
    parameters = {label: list(part.parameters()) for label, part in net.parts.items()}
    flat = [value for own in parameters.values() for value in own]
    found = iter(torch.autograd.grad(loss, flat, allow_unused=True, retain_graph=True))
    gradients = {label: [next(found) for _ in own] for label, own in parameters.items()}
    return {label for label, own in gradients.items() if any(g is not None for g in own)}


def test_each_stage_trains_its_own_slice_and_freezes_those_before():
    net = network()
    staged = net(inputs("a+b")).staged
    assert reached(net, staged["redundant.a"].sum()) == {"a/redundant-slice", "any/redundant"}
    assert reached(net, staged["unique.a"].sum()) == {"a/unique-slice", "a/unique"}
    assert reached(net, staged["synergistic"].sum()) == {"a+b/synergy"}
    trained = reached(net, staged["heads"].sum())
    assert trained == {"any/redundant", "a/unique", "b/unique", "a+b/synergy"}
    slices = [
        *net.part("a+b", "synergy").first.parameters(),
        *net.part("a", "unique-slice").parameters(),
    ]
    found = torch.autograd.grad(staged["heads"].sum(), slices, allow_unused=True)
    assert all(value is None for value in found)


def test_a_silent_side_silences_the_synergy():
    part = network().part("a+b", "synergy")
    s = torch.randn(BATCH, part.head.in_features)
    torch.testing.assert_close(part.fuse(s, torch.zeros_like(s)), torch.zeros_like(s))


def test_a_missing_modality_is_left_out():
    outputs = network()(inputs("a"))
    assert list(outputs.slice_logits) == ["redundant", "unique.a"]
    assert "synergistic" not in outputs.staged
    torch.testing.assert_close(outputs.modality_logits["a"], outputs.logits)


@pytest.mark.parametrize("split", [(0, 1, 1), (1, 0, 1)])
def test_a_split_without_redundant_or_unique_slice_is_refused(split):
    with pytest.raises(ConfigError, match="give the redundant and the unique slice a width"):
        network(split=split)


def test_without_synergy_there_is_no_such_branch():
    net = network(split=(1, 1, 0))
    assert "a+b/synergy" not in net.parts
    assert "synergistic" not in net(inputs("a+b")).staged


SAMPLES, WIDTH = 2000, 8


def channel_inputs(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.zeros(SAMPLES, WIDTH), torch.randn(SAMPLES, 3, generator=generator)


def test_noise_is_standard_normal_and_independent_between_slices():
    mean, input = channel_inputs()
    one, other = (sample_noise(mean, input, name) for name in ("redundant.a", "unique.a"))
    assert abs(float(one.mean())) < 0.03
    assert abs(float(one.std()) - 1) < 0.03
    assert abs(float((one * other).mean())) < 0.03


def test_after_training_noise_belongs_to_the_sample_whatever_its_batch():
    mean, input = channel_inputs()
    whole = sample_channel(mean, input, "redundant.a")
    torch.testing.assert_close(sample_channel(mean[7:9], input[7:9], "redundant.a"), whole[7:9])
    rows = sample_channel(mean.view(2, -1, WIDTH), input.view(2, -1, 3), "redundant.a")
    torch.testing.assert_close(rows.view(SAMPLES, WIDTH), whole)
    rounded = sample_channel(mean, input.double(), "redundant.a")
    torch.testing.assert_close(rounded.to(whole), whole)


def test_in_training_noise_belongs_to_the_agent_whoever_shares_its_rows():
    mean, input = (value[:10].expand(3, -1, -1) for value in channel_inputs())
    keys = torch.tensor([5, 6, 7])
    with use_rng(keys):
        rows = sample_channel(mean, input, "redundant.a")
    with use_rng(keys[1:2]):
        alone = sample_channel(mean[1], input[1], "redundant.a")
    torch.testing.assert_close(rows[1], alone)
    assert not torch.equal(rows[0], rows[1])
