from __future__ import annotations

import argparse

import pytest

from parse_dfl.cli.parser import Parser, add_options, configuration, given
from parse_dfl.config import GROUPS, SETTINGS, RunConfig
from parse_dfl.errors import ConfigError


def read(*argv):
    parser = Parser(prog="parse-dfl run")
    add_options(parser)
    return configuration(parser.parse_args(argv))


def test_a_split_may_be_proposed():
    assert read("--split", "auto").network.split == "auto"


def test_every_setting_has_one_option():
    flags = [entry.declaration.flag for entry in SETTINGS.values()]
    assert all(flag.startswith("--") for flag in flags)
    assert len(set(flags)) == len(flags)
    assert {entry.declaration.group for entry in SETTINGS.values()} == set(GROUPS)


def test_no_option_is_no_change():
    assert read() == RunConfig()


def test_each_type_is_read():
    config = read(
        *("--rounds", "7", "--lr", "1e-3", "--split", "1,2,0", "--data", "x.npz", "--compile"),
        *("--kind", "m=series", "--kind", "n=image", "--encoder", "acc+gyro:acc=mlp"),
        *("--option", "temperature=0.3", "--option", "harmony.tau=1"),
        *("--event", "3:acc-0:+gyro", "--event", "4:acc-0:-acc", "--samples-per-agent", "64"),
    )
    assert config.training.rounds == 7
    assert config.training.lr == 1e-3
    assert config.network.split == (1, 2, 0)
    assert config.compile
    assert config.data.kind == {"m": "series", "n": "image"}
    assert str(config.data.samples_per_agent) == "64"
    assert config.network.encoders == {"acc+gyro:acc": "mlp"}
    assert config.method_options == {"temperature": 0.3, "harmony.tau": 1}
    assert [str(change) for change in config.events] == ["3:acc-0:+gyro", "4:acc-0:-acc"]


def test_options_overrule_the_file_which_overrules_defaults(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text("rounds = 7\nbatch_size = 8\ncompile = true\n")
    config = read("--config", str(path), "--rounds", "9", "--no-compile")
    assert (config.training.rounds, config.training.batch_size, config.seed) == (9, 8, 0)
    assert not config.compile


def test_what_was_given_is_known_by_its_flag():
    parser = argparse.ArgumentParser()
    add_options(parser)
    assert given(parser.parse_args(["--lr", "1"])) == {"--lr": "training.lr"}


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (
            ["--rounds", "ten"],
            "argument --rounds: 'ten' is no whole number; see parse-dfl run --help",
        ),
        (["--split", "1,x"], "argument --split: 'x' is no number"),
        (["--split", "atuo"], "split 'atuo' must be three ratios, such as 1,1,1, or auto"),
        (["--lr", "fast"], "argument --lr: 'fast' is no number"),
        (["--kind", "m"], "argument --kind: 'm' is not NAME=VALUE"),
        (["--lr"], "argument --lr: expected one argument"),
        (["--lr", "nan"], "argument --lr: 'nan' is no number"),
        (["--rounds", "0"], "rounds must be at least 1, not 0"),
    ],
)
def test_what_cannot_be_read_is_named(argv, message):
    with pytest.raises(ConfigError, match=message):
        read(*argv)


def test_help_shows_the_defaults():
    parser = argparse.ArgumentParser()
    add_options(parser)
    shown = " ".join(parser.format_help().split())
    assert "rounds of local training and mixing (default: 100)" in shown
    assert "(default: 1,1,1)" in shown
