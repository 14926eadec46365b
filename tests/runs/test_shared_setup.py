from __future__ import annotations

import numpy as np
import pytest
import torch

from parse_dfl.config import DataConfig
from parse_dfl.data.standardise import fit
from parse_dfl.errors import ConfigError
from parse_dfl.runs.shared_setup import Overrides, SharedSetup, mix_for, torch_device


def test_two_modalities_have_a_default_mix():
    assert str(mix_for(None, ["top", "bottom"])) == "bottom=5,top=5,bottom+top=5"


def test_other_data_need_a_mix_and_are_shown_one():
    with pytest.raises(ConfigError, match=r"3 modalities \(a, b, c\).*a=5,b=5,c=5,a\+b\+c=5"):
        mix_for(None, "cba")
    with pytest.raises(ConfigError, match=r"1 modalities \(a\).*--agents a=5"):
        mix_for(None, "a")


def test_a_mix_names_modalities_of_the_data():
    assert mix_for("a=2", ["a", "b"]).size == 2
    with pytest.raises(
        ConfigError, match=r"unknown modality 'gyr'; did you mean 'gyro'\? known: acc"
    ):
        mix_for("gyr=1", ["acc", "gyro"])


def test_a_device_that_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="device 'cuda:1' is not available on this machine"):
        torch_device("cuda:1")
    assert torch_device("cpu") == torch.device("cpu")


def test_overrides_default_to_nothing():
    overrides = Overrides()
    assert (overrides.data, overrides.topology, overrides.method, dict(overrides.encoders)) == (
        None,
        None,
        None,
        {},
    )
    assert DataConfig().data == "digits"


def test_what_belongs_to_a_seed_is_made_once(small):
    shared = SharedSetup(small())
    assert shared.agent_data(0) is shared.agent_data(0)
    assert shared.standardised(0) is shared.standardised(0)
    assert shared.tensors is shared.tensors
    assert not np.array_equal(shared.agent_data(0)[0].indices, shared.agent_data(1)[0].indices)


def test_statistics_made_ahead_are_those_of_the_agents_own_samples(small):
    shared = SharedSetup(small())
    for part, standardised in zip(shared.agent_data(0), shared.standardised(0), strict=True):
        assert set(standardised.standardisers) == set(part.agent.modalities)
        for name, known in standardised.standardisers.items():
            fitted = fit(shared.data.modalities[name][part.indices], shared.data.kinds[name])
            assert np.array_equal(known.mean, fitted.mean)
            assert np.array_equal(known.scale, fitted.scale)
