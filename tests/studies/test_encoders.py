"""Trunks that never learn: the same for everybody, and trained to see through noise before."""

from __future__ import annotations

import pytest
import torch

from parse_dfl.agents import Kind
from parse_dfl.config import DataConfig, RunConfig
from parse_dfl.networks.encoders import SampleShape
from studies.ablations import encoders
from studies.ablations.encoders import Pretrained, default_trunk, frozen, rebuild

TOP = SampleShape("top", Kind.VECTOR, (32,))


@pytest.fixture
def few_epochs(monkeypatch):
    monkeypatch.setattr(encoders, "EPOCHS", 3)


@pytest.mark.usefixtures("few_epochs")
def test_a_pretrained_trunk_is_the_same_for_everybody_and_never_learns():
    build = Pretrained(RunConfig(data=DataConfig(data="digits")))
    torch.manual_seed(1)
    first = build(TOP, 8, 0.1)
    torch.manual_seed(2)
    second = build(TOP, 8, 0.1)
    again = Pretrained(RunConfig(data=DataConfig(data="digits")))(TOP, 8, 0.1)
    inputs = torch.randn(4, 32)
    for other in (second, again):
        assert torch.equal(first.eval()(inputs), other.eval()(inputs))
    assert not any(value.requires_grad for value in first.parameters())


@pytest.mark.usefixtures("few_epochs")
def test_what_is_drawn_after_a_trunk_is_the_same_whether_it_was_trained_or_known():
    build = Pretrained(RunConfig(data=DataConfig(data="digits")))
    drawn = []
    for _ in range(2):
        torch.manual_seed(3)
        build(TOP, 8, 0.1)
        drawn.append(torch.rand(2))
    assert torch.equal(*drawn)


def test_a_trunk_learns_to_rebuild_what_has_few_dimensions(monkeypatch):
    monkeypatch.setattr(encoders, "EPOCHS", 30)
    torch.manual_seed(0)
    inputs = torch.randn(256, 3) @ torch.randn(3, 32)
    errors = rebuild(default_trunk(TOP, 16, 0.0), inputs, 16)
    assert errors[-1] < errors[0] / 2


def test_a_frozen_trunk_has_weights_of_its_own_and_never_learns():
    trunk = frozen(TOP, 8, 0.1)
    assert trunk.eval()(torch.randn(4, 32)).shape == (4, 8)
    assert not any(value.requires_grad for value in trunk.parameters())
