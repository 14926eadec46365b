from __future__ import annotations

import json
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parse_dfl.agents import AgentMix, ModalityChange
from parse_dfl.byzantine import Attacker, Averaging, Clipping
from parse_dfl.config import (
    SETTINGS,
    DataConfig,
    NetworkConfig,
    OverlayConfig,
    RunConfig,
    TrainingConfig,
    differences,
    from_dict,
    load_toml,
    to_dict,
    value_at,
    with_values,
)
from parse_dfl.config.partition import Dirichlet
from parse_dfl.config.topology import ErdosRenyi, Regular
from parse_dfl.errors import ConfigError

BEFORE = {"seed": 0, "events": (), "data": {"kind": {"a": "image"}, "data_dir": "x"}}
NAMES = st.text("abc", min_size=1, max_size=3)
RATIOS = st.floats(0.125, 1e6)
CONFIGS = st.builds(
    RunConfig,
    agents=st.none() | st.dictionaries(NAMES, st.integers(1, 4), min_size=1, max_size=3),
    method_options=st.dictionaries(
        st.sampled_from(["harmony.tau", "parse.lr", "hold_out"]), st.integers(2, 9), max_size=3
    ),
    data=st.builds(
        DataConfig,
        kind=st.dictionaries(NAMES, NAMES, max_size=2),
        partition=st.floats(0.01, 100).map(Dirichlet),
        samples_per_agent=st.none() | st.integers(1, 9) | st.just((3, 8)),
    ),
    network=st.builds(NetworkConfig, split=st.tuples(RATIOS, RATIOS, RATIOS)),
    training=st.builds(
        TrainingConfig, lr=st.none() | st.floats(1e-9, 1e9), local_steps=st.none() | st.just(3)
    ),
    overlay=st.builds(
        OverlayConfig,
        topology=st.integers(2, 9).map(Regular) | st.floats(0.1, 1).map(ErdosRenyi),
        robust=st.floats(0.01, 1).map(lambda share: Clipping(attackers=share)),
        attackers=st.lists(st.just(Attacker(agent="a-0", attack="scale", strength=3)), max_size=2),
    ),
    events=st.lists(st.just("3:a-0:+b"), max_size=2),
    compile=st.booleans(),
)


@given(CONFIGS)
def test_json_gives_back_an_equal_configuration(config):
    assert from_dict(json.loads(json.dumps(to_dict(config)))) == config


def test_what_is_left_out_keeps_its_default():
    assert from_dict({"training": {"rounds": 3}}) == RunConfig(training=TrainingConfig(rounds=3))


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"metod": "parse"}, r"unknown setting 'metod'; did you mean 'method'"),
        ({"training": {"round": 1}}, r"unknown setting 'round' in \[training\].*'rounds'"),
        ({"training": 3}, "training must be a table of names and values, not 3"),
        ({"training": {"rounds": "ten"}}, "rounds must be a whole number, not 'ten'"),
        ({"training": {"rounds": True}}, "rounds must be a whole number, not True"),
        ({"training": {"lr": float("nan")}}, "lr must be a finite number, not nan"),
        ({"compile": 1}, "compile must be true or false, not 1"),
        ({"data": {"samples_per_agent": 6.4}}, "samples_per_agent must be an object such as 64"),
        ({"network": {"split": [1, 1]}}, "split must be a list of 3, each a finite number"),
        ({"events": "x"}, "'x' is no modality event"),
        ({"record": 3}, "record must be a list, each text, not 3"),
        ({"network": {"encoders": {"a": 1}}}, "encoders.a must be text, not 1"),
        (
            {"method_options": {"tau": [1]}},
            r"method_options.tau must be a finite number or text or true or false, not \[1\]",
        ),
        ([], "the configuration must be a table"),
        ({"network": {"encoders": 3}}, "encoders must be a table of names and values, not 3"),
    ],
)
def test_what_does_not_fit_is_named(mapping, message):
    with pytest.raises(ConfigError, match=message):
        from_dict(mapping)


def test_a_file_may_be_flat_or_in_sections(tmp_path):
    flat, sections = tmp_path / "flat.toml", tmp_path / "sections.toml"
    flat.write_text('data = "digits:4"\nrounds = 7\nsplit = [1, 1, 0]\nmethod = "harmony"\n')
    sections.write_text(
        'method = "harmony"\n[data]\ndata = "digits:4"\n[training]\nrounds = 7\n'
        "[network]\nsplit = [1, 1, 0]\n"
    )
    assert load_toml(flat) == load_toml(sections)
    assert load_toml(flat).training.rounds == 7


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rounds = 3\nlr = = 2\n", r"x.toml is no TOML file: .*line 2"),
        ("rouns = 3\n", "x.toml: unknown setting 'rouns'; did you mean 'rounds'"),
        ("[trainig]\nrounds = 3\n", "unknown setting 'trainig'; did you mean 'training'"),
        ("rounds = 3\n[training]\nrounds = 4\n", "x.toml: 'rounds' is given twice"),
        ("rounds = 3.5\n", "x.toml: rounds must be a whole number, not 3.5"),
    ],
)
def test_a_bad_file_is_named_with_what_is_wrong(tmp_path, text, message):
    path = tmp_path / "x.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_toml(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot read .*none.toml: No such file"):
        load_toml(tmp_path / "none.toml")
    (tmp_path / "x.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"x.toml is no TOML file: .*utf-8"):
        load_toml(tmp_path / "x.toml")


def test_values_replace_settings_and_join_tables():
    config = RunConfig(network=NetworkConfig(encoders={"a": "mlp", "b": "mlp"}))
    changed = with_values(config, {"seed": 3, "network.encoders": {"b": "conv"}})
    assert changed.seed == 3
    assert changed.network.encoders == {"a": "mlp", "b": "conv"}
    assert changed.training == config.training


def test_every_path_can_be_read_and_no_name_stands_twice():
    config = RunConfig()
    assert {path: value_at(config, path) for path in SETTINGS}["training.rounds"] == 100
    names = [path.rpartition(".")[2] for path in SETTINGS]
    assert len(names) == len(set(names))


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


def check(path, value):
    with_values(RunConfig(), {path: value})


@pytest.mark.parametrize("path", AT_LEAST_ONE)
def test_a_count_is_at_least_one(path):
    check(path, 1)
    name = path.rpartition(".")[2]
    with pytest.raises(ConfigError, match=f"{name} must be at least 1, not 0"):
        check(path, 0)


@pytest.mark.parametrize(
    "path",
    ["seed", "training.weight_decay", "training.prior_correction", "peer.least_round_s"],
)
def test_some_may_be_zero_but_not_negative(path):
    check(path, 0)
    with pytest.raises(ConfigError, match="must be at least 0, not -1"):
        check(path, -1)


@pytest.mark.parametrize(
    "path", ["network.dropout", "training.momentum", "training.global_momentum", "overlay.absence"]
)
@pytest.mark.parametrize("value", [-0.1, 1.0])
def test_a_fraction_lies_below_one(path, value):
    check(path, 0)
    with pytest.raises(ConfigError, match=f"must be at least 0 and below 1, not {value:g}"):
        check(path, value)


@pytest.mark.parametrize(
    ("path", "value", "message"),
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
def test_what_cannot_be_is_refused(path, value, message):
    with pytest.raises(ConfigError, match=message):
        check(path, value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("device", "cuda:1"),
        ("network.split", [1, 0, 0]),
        ("network.encoders", {"acc": "mlp", "acc+gyro:acc": "conv"}),
        ("events", ["40:acc-0:+gyro"]),
        ("agents", "acc=1,acc+gyro=2"),
        ("method", "parse@dsgd-task"),
    ],
)
def test_what_can_be_is_let_through(path, value):
    check(path, value)


def test_moments_are_not_guarded_against_liars():
    robust = {"overlay.robust": "clipping", "training.share_moments": "second"}
    with pytest.raises(ConfigError, match="'clipping' guards parameters, not moments"):
        with_values(RunConfig(), robust)


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({"overlay.attackers": ["acc-0:scale:10"]}, "nothing guards what agents agree"),
        ({"overlay.robust": "clipping"}, "nothing guards what agents agree"),
    ],
)
def test_agents_agree_only_where_nobody_lies_and_one_process_knows_them(others, message):
    with pytest.raises(ConfigError, match=message):
        with_values(RunConfig(), {"data.standardise": "agreed", **others})


def test_everything_is_checked_when_it_is_built_and_stands():
    for build in (
        lambda: TrainingConfig(optimizer="adma"),
        lambda: OverlayConfig(topology="rign"),
        lambda: RunConfig(training={"optimizer": "adma"}),
        lambda: RunConfig(method="prase"),
    ):
        with pytest.raises(ConfigError, match="did you mean"):
            build()
    config = DataConfig(partition="subject")
    with pytest.raises(FrozenInstanceError):
        config.data = "other"
    with pytest.raises(TypeError):
        DataConfig("digits")


@pytest.mark.parametrize("others", [{"engine": "peers"}, {"events": ["2:a-0:+b"]}])
def test_the_best_is_kept_only_where_one_process_knows_all_agents(others):
    with pytest.raises(ConfigError, match="leave out --keep-best"):
        RunConfig(training=TrainingConfig(keep_best=True), **others)


def test_objects_and_texts_say_the_same():
    objects = RunConfig(
        agents={"acc": 2, "gyro+acc": 1},
        data=DataConfig(partition=Dirichlet(0.3), samples_per_agent=(16, 32)),
        overlay=OverlayConfig(topology=Regular(4), robust=Clipping(attackers=2)),
        events=[ModalityChange(round=3, agent="acc-0", gains="gyro")],
    )
    texts = from_dict(
        {
            "agents": "acc=2,acc+gyro=1",
            "data": {"partition": "dirichlet:0.3", "samples_per_agent": "16..32"},
            "overlay": {"topology": "regular:4", "robust": "clipping:attackers=2"},
            "events": ["3:acc-0:+gyro"],
        }
    )
    assert objects == texts
    assert objects.agents == AgentMix.from_string("acc=2,acc+gyro=1")
    assert to_dict(objects)["overlay"]["topology"] == "regular:4"
    assert OverlayConfig(robust=None).robust == OverlayConfig(robust="none").robust == Averaging()


def test_numbers_of_numpy_are_numbers():
    training = TrainingConfig(rounds=np.int64(3), lr=np.float32(0.5))
    assert (type(training.rounds), type(training.lr)) == (int, float)
    assert NetworkConfig(split=np.array([1, 2, 1])).split == (1.0, 2.0, 1.0)


def test_the_options_of_a_method_are_its_own_and_its_rate_is_the_rate():
    options = {"harmony.tau": 0.3, "first_stage": 0.25, "parse.head_weight": 1, "harmony.lr": 0.5}
    config = RunConfig(method="harmony", method_options=options).for_method("harmony")
    assert config.options() == {"tau": 0.3, "first_stage": 0.25}
    assert config.training.lr == 0.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tau": 1}, "method 'parse' has no option 'tau'"),
        ({"harmony.tua": 1}, "option 'harmony.tua': .*did you mean 'tau'"),
        ({"harmny.tau": 1}, "option 'harmny.tau': unknown method 'harmny'"),
        ({"harmony.lr": -1}, "option 'harmony.lr': lr of harmony must be above 0"),
        ({"harmony.tau": -1}, "tau of harmony must be at least 0, not -1"),
    ],
)
def test_options_are_checked_with_the_rest(options, message):
    with pytest.raises(ConfigError, match=message):
        RunConfig(method_options=options)


def test_equal_settings_do_not_differ():
    assert differences(BEFORE, {**BEFORE, "events": []}) == []


def test_each_setting_is_named_with_both_values():
    now = {"seed": 1, "events": ["3:a:+b"], "data": {"kind": {}, "data_dir": "y"}}
    assert differences(BEFORE, now, free=["data.data_dir"]) == [
        "data.kind.a is image there, not set here",
        "events is none there, 3:a:+b here",
        "seed is 0 there, 1 here",
    ]
