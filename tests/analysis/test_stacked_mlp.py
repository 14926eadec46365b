"""Stacked networks are what each would be alone, and their optimizer is torch's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from parse_dfl.analysis.stacked_mlp import AdamW, StackedMLP, stack, standardised, train


def generator():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("unit", [1e-20, 1e-7, 1.0, 1e20])
def test_slices_are_standardised_whatever_their_size(unit):
    values = np.random.default_rng(0).normal(3, 2, (60, 4)).astype(np.float32)
    values[:, 2] = 5
    standard = standardised(values * np.float32(unit), slice(40))
    assert standard.dtype == np.float32
    np.testing.assert_allclose(standard, standardised(values, slice(40)), atol=1e-4)
    np.testing.assert_allclose(standard[:40, [0, 1, 3]].std(axis=0), 1, rtol=1e-4)
    assert not standard[:, 2].any()


def test_a_network_alone_says_what_it_says_in_the_stack():
    narrow, wide = np.ones((7, 2), np.float32), np.ones((7, 5), np.float32)
    inputs = stack([narrow, wide])
    assert inputs.shape == (2, 7, 5)
    assert not inputs[0, :, 2:].any()
    network = StackedMLP([2, 5], 8, 3, generator())
    outputs = network(inputs)
    weight, bias, *_ = network.parameters
    hidden = (inputs[0, :, :2] @ weight[0, :2] + bias[0]).relu()
    for layer in (2, 4):
        weight, bias = network.parameters[layer : layer + 2]
        hidden = hidden @ weight[0] + bias[0]
        hidden = hidden if layer == 4 else hidden.relu()
    assert torch.allclose(outputs[0], hidden, atol=1e-5)


def test_dropout_scales_what_it_keeps():
    network = StackedMLP([4], 400, 1, generator())
    inputs = torch.randn(1, 50, 4, generator=generator())
    dropped = torch.stack(
        [network(inputs, dropout=0.5, generator=generator().manual_seed(s)) for s in range(60)]
    )
    assert not torch.equal(dropped[0], dropped[1])
    error = (dropped.mean(0) - network(inputs)).abs().mean()
    assert error < 0.3 * network(inputs).abs().mean()


@pytest.mark.parametrize("fused", [False, True])
def test_the_optimizer_is_torchs(fused):
    ours, theirs = (torch.tensor([1.0, -2.0], requires_grad=True) for _ in range(2))
    optimizer = AdamW([ours], lr=0.1, weight_decay=0.2, fused=fused)
    reference = torch.optim.AdamW([theirs], lr=0.1, weight_decay=0.2)
    for _ in range(5):
        optimizer.step((ours**2).sum())
        reference.zero_grad()
        (theirs**2).sum().backward()
        reference.step()
    assert torch.allclose(ours, theirs, atol=1e-6)


def test_training_evaluates_evenly_and_at_the_end_without_gradients():
    inputs = torch.randn(1, 40, 3, generator=generator())
    aims = inputs.sum(-1, keepdim=True)
    network, losses = StackedMLP([3], 16, 1, generator()), []

    def loss(positions):
        return (network(inputs[:, positions]) - aims[:, positions]).square().mean()

    def evaluate():
        assert not torch.is_grad_enabled()
        losses.append(float(loss(torch.arange(40))))

    train(
        network, loss, evaluate, samples=40, steps=60, evaluations=4,
        lr=1e-2, weight_decay=0.0, generator=generator(),
    )  # fmt: skip
    assert len(losses) == 4
    assert losses[-1] < 0.2 * losses[0]
