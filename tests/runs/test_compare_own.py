"""A method of the user's own, compared with the built-in ones."""

from __future__ import annotations

from dataclasses import replace

import pytest

from parse_dfl.config import RunConfig, TrainingConfig
from parse_dfl.errors import ConfigError
from parse_dfl.methods.registry import build_method
from parse_dfl.runs.compare import compare
from parse_dfl.runs.setup import Own

CONFIG = RunConfig(agents="top=2", training=TrainingConfig(rounds=1))
MINE = replace(build_method("local"), name="mine")


def test_it_stands_among_the_others_under_its_own_name(tmp_path):
    result = compare(CONFIG, ["dsgd-task", MINE, "local"], [0], out=tmp_path / "x")["methods"]
    assert list(result) == ["dsgd-task", "mine", "local"]
    assert result["mine"]["groups"] == result["local"]["groups"]
    assert result["mine"]["groups"] != result["dsgd-task"]["groups"]
    assert (tmp_path / "x/mine/seed-0/agents/top-0.safetensors").exists()


def test_its_learning_rate_can_be_set_like_any_other(tmp_path):
    config = replace(CONFIG, method="own:mine", method_options={"own:mine.lr": 0.5})
    result = compare(config, [MINE, "local"], [0])["methods"]
    assert result["mine"]["lr"] == 0.5
    assert result["local"]["lr"] == MINE.lr


def test_it_cannot_silently_take_the_place_of_all_methods():
    with pytest.raises(ConfigError, match=r"'mine' would take the place of every method"):
        compare(CONFIG, ["parse", "local"], [0], own=Own(method=MINE))
