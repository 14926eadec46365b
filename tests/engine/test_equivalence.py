"""The vectorised engine computes what a plain loop over agents computes."""

from __future__ import annotations

import pytest
import torch

from parse_dfl.config import NetworkConfig
from tests.engine.plain_loop import PlainLoop
from tests.small import federation, rows_of, run_rounds, small_data, small_shards

ROUNDS = 10
UNEQUAL = (12, 7, 20, 3, 9)
SHAPES = {"a": (3,), "b": (4,), "c": (2,)}
CONVOLUTIONS = {"a": (9, 2), "b": (6, 6, 1), "c": (5, 5, 5, 1)}


def largest_difference(method: str, *, by_samples=False, absence=0.0, sizes=UNEQUAL, **settings):
    """max over branches of ‖Δ‖/‖θ‖ after ten rounds, simulator against plain loop."""
    data = settings.setdefault("data", small_data())
    simulator = federation(
        method, sizes=sizes, by_samples=by_samples, absence=absence, rounds=ROUNDS, **settings
    )
    shards = small_shards([shard.agent for shard in simulator.trainer.agent_data], data, sizes)
    loop = PlainLoop(simulator, shards, by_samples=by_samples)
    for _ in range(ROUNDS):
        loop.step(absence)
    run_rounds(simulator, ROUNDS)
    ours, plain = rows_of(simulator), loop.rows()
    assert ours.keys() == plain.keys()
    return max(difference(ours, plain, branch) for branch in {key[2] for key in ours})


def difference(ours, plain, branch):
    keys = [key for key in ours if key[2] == branch]
    theta = torch.stack([plain[key] for key in keys])
    return float((torch.stack([ours[key] for key in keys]) - theta).norm() / theta.norm())


@pytest.mark.parametrize(
    "method",
    ["parse", "parse-faithful", "dsgd-hybrid", "dsgd-task", "dsgd-modality", "harmony"],
)
def test_every_method_in_float64(method):
    assert largest_difference(method) < 1e-9


def test_global_momentum_over_stages():
    assert largest_difference("harmony", global_momentum=0.8) < 1e-9


@pytest.mark.parametrize("method", ["parse", "dsgd-hybrid", "dsgd-task", "harmony"])
def test_every_method_in_float32(method):
    assert largest_difference(method, dtype="float32") < 1e-4


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"optimizer": "sgd", "lr": 0.05, "weight_decay": 0.01}, id="sgd"),
        pytest.param({"optimizer": "adam", "weight_decay": 0.01}, id="adam with decay"),
        pytest.param({"optimizer": "adamw", "weight_decay": 0.1}, id="adamw"),
        pytest.param({"schedule": "constant", "prior_correction": 0.0}, id="constant rate"),
        pytest.param({"share_moments": "second"}, id="shared second moments"),
        pytest.param({"global_momentum": 0.8, "momentum": 0.0}, id="global momentum"),
        pytest.param({"global_momentum": 0.8, "absence": 0.3}, id="absent, global momentum"),
        pytest.param({"by_samples": True}, id="mixing by samples"),
        pytest.param({"absence": 0.3}, id="absent agents"),
        pytest.param({"absence": 0.3, "share_moments": "second"}, id="absent, shared moments"),
    ],
)
def test_every_setting(settings):
    assert largest_difference("parse", **settings) < 1e-9


@pytest.mark.parametrize("method", ["parse", "parse-faithful", "harmony"])
def test_three_modalities(method):
    settings = {"data": small_data(SHAPES), "agents": "a=2,b=1,c=1,a+b=2,a+c=1,a+b+c=2"}
    assert largest_difference(method, **settings) < 1e-9


def test_convolutions():
    narrow = NetworkConfig(latent=6, hidden=6, dropout=0.25)
    settings = {"data": small_data(CONVOLUTIONS), "network": narrow, "agents": "a=2,b=2,c=1,a+b=2"}
    assert largest_difference("parse", **settings) < 1e-9
