from __future__ import annotations

import pytest

from parse_dfl.errors import ConfigError
from parse_dfl.runs.setup import mix_for


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
