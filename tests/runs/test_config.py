from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parse_dfl.data.config import DataConfig
from parse_dfl.engine.config import TrainingConfig
from parse_dfl.errors import ConfigError
from parse_dfl.networks.config import NetworkConfig
from parse_dfl.runs.config import (
    PLACES,
    RunConfig,
    from_dict,
    load_toml,
    to_dict,
    value_at,
    with_values,
)

NAMES = st.text("abc", min_size=1, max_size=3)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
CONFIGS = st.builds(
    RunConfig,
    agents=st.none() | NAMES,
    method_options=st.dictionaries(NAMES, FLOATS | NAMES | st.booleans(), max_size=3),
    data=st.builds(DataConfig, kind=st.dictionaries(NAMES, NAMES, max_size=2)),
    network=st.builds(NetworkConfig, split=st.tuples(FLOATS, FLOATS, FLOATS)),
    training=st.builds(
        TrainingConfig, lr=st.none() | FLOATS, local_steps=st.none() | st.integers()
    ),
    events=st.lists(NAMES, max_size=2).map(tuple),
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
        ({"training": {"rounds": "ten"}}, "training.rounds must be a whole number, not 'ten'"),
        ({"training": {"rounds": True}}, "training.rounds must be a whole number, not True"),
        ({"training": {"lr": float("nan")}}, "training.lr must be a finite number, not nan"),
        ({"compile": 1}, "compile must be true or false, not 1"),
        ({"data": {"samples_per_agent": 64}}, "data.samples_per_agent must be text, not 64"),
        ({"network": {"split": [1, 1]}}, "network.split must be a list of 3, each a finite number"),
        ({"events": "x"}, "events must be a list, each text, not 'x'"),
        ({"network": {"encoders": {"a": 1}}}, "network.encoders.a must be text, not 1"),
        (
            {"method_options": {"tau": [1]}},
            r"method_options.tau must be a finite number or text or true or false, not \[1\]",
        ),
        ([], "the configuration must be a table"),
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
        ("rounds = 3.5\n", "x.toml: training.rounds must be a whole number, not 3.5"),
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


def test_every_place_can_be_read_and_no_name_stands_twice():
    config = RunConfig()
    assert {place: value_at(config, place) for place in PLACES}["training.rounds"] == 100
    names = [place.rpartition(".")[2] for place in PLACES]
    assert len(names) == len(set(names))
