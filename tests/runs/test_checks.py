from __future__ import annotations

import pytest

from parse_dfl.errors import ConfigError
from parse_dfl.runs.config import RunConfig, validate, with_values

AT_LEAST_ONE = (
    "eval_every",
    "eval_samples",
    "checkpoint_every",
    "network.latent",
    "network.hidden",
    "training.rounds",
    "training.local_epochs",
    "training.local_steps",
    "training.batch_size",
)


def check(place, value):
    validate(with_values(RunConfig(), {place: value}))


def test_the_defaults_are_valid():
    validate(RunConfig())


@pytest.mark.parametrize("place", AT_LEAST_ONE)
def test_a_count_is_at_least_one(place):
    check(place, 1)
    name = place.rpartition(".")[2]
    with pytest.raises(ConfigError, match=f"{name} must be at least 1, not 0"):
        check(place, 0)


@pytest.mark.parametrize(
    "place",
    ["seed", "training.weight_decay", "training.prior_correction", "peer.least_round_s"],
)
def test_some_may_be_zero_but_not_negative(place):
    check(place, 0)
    with pytest.raises(ConfigError, match="must be at least 0, not -1"):
        check(place, -1)


@pytest.mark.parametrize(
    "place", ["network.dropout", "training.momentum", "training.global_momentum", "overlay.absence"]
)
@pytest.mark.parametrize("value", [-0.1, 1.0])
def test_a_fraction_lies_below_one(place, value):
    check(place, 0)
    with pytest.raises(ConfigError, match=f"must be at least 0 and below 1, not {value}"):
        check(place, value)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("training.lr", 0, "lr must be above 0, not 0"),
        ("training.optimizer", "adm", "unknown optimizer 'adm'; did you mean 'adam'"),
        ("training.schedule", "cosin", "unknown schedule 'cosin'; did you mean 'cosine'"),
        ("training.share_moments", "first", "unknown share moments 'first'.*none, second"),
        ("training.dtype", "float16", "unknown dtype 'float16'.*float32"),
        ("network.fusion", "gate", "unknown fusion 'gate'; did you mean 'gated'"),
        ("network.split", [0, 0, 0], "split 0,0,0 sums to zero"),
        ("network.split", [1, -1, 1], "split 1,-1,1 has a negative ratio"),
        (
            "network.encoders",
            {"acc+gyro:mag": "mlp"},
            "agents of 'acc.gyro' have no modality 'mag'",
        ),
        ("network.encoders", {"a,b": "mlp"}, "'a,b' is no modality name"),
        ("data.evaluate_on", "tests", "unknown evaluate on 'tests'; did you mean 'test'"),
        ("data.standardise", "agree", "unknown standardise 'agree'; did you mean 'agreed'"),
        ("device", "gpu", "unknown device 'gpu'.*cpu"),
        ("engine", "simulat", "unknown engine 'simulat'; did you mean 'simulate'"),
        ("method", "pars", "unknown method 'pars'; did you mean 'parse'"),
        ("agents", "acc=0", "asks for 0 agents"),
        ("events", ["x"], "'x' is no modality event"),
        ("overlay.robust", "cliping", "unknown robust mixing 'cliping'; did you mean 'clipping'"),
        ("overlay.attackers", ["acc-0"], "'acc-0' is no attacker; write AGENT:ATTACK"),
        ("record", ["conflct"], "unknown recording 'conflct'; did you mean 'conflict'"),
    ],
)
def test_what_cannot_be_is_refused(place, value, message):
    with pytest.raises(ConfigError, match=message):
        check(place, value)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("device", "cuda:1"),
        ("network.split", [1, 0, 0]),
        ("network.encoders", {"acc": "mlp", "acc+gyro:acc": "conv"}),
        ("events", ["40:acc-0:+gyro"]),
        ("agents", "acc=1,acc+gyro=2"),
        ("method", "parse@dsgd-task"),
    ],
)
def test_what_can_be_is_let_through(place, value):
    check(place, value)


def test_moments_are_not_guarded_against_liars():
    robust = {"overlay.robust": "clipping", "training.share_moments": "second"}
    with pytest.raises(ConfigError, match="'clipping' guards parameters, not moments"):
        validate(with_values(RunConfig(), robust))


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({"overlay.attackers": ["acc-0:scale:10"]}, "nothing guards what agents agree"),
        ({"overlay.robust": "clipping"}, "nothing guards what agents agree"),
    ],
)
def test_agents_agree_only_where_nobody_lies(others, message):
    with pytest.raises(ConfigError, match=message):
        validate(with_values(RunConfig(), {"data.standardise": "agreed", **others}))
