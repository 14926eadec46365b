from __future__ import annotations

import pytest

from parse_dfl.config import RunConfig, with_values
from parse_dfl.errors import ConfigError
from parse_dfl.peers.announcement import read_terms
from parse_dfl.runs.node import terms_of
from tests.small import small_data


def terms(**values):
    named = {key.replace("__", "."): value for key, value in values.items()}
    return terms_of(with_values(RunConfig(), named), small_data(), lr=0.01)


def test_terms_can_be_announced_and_hold_task_classes_and_samples():
    found = terms()
    assert read_terms(found) == found
    assert found["task"] == "classification"
    assert found["class names (label_names) 1"] == '["0", "1", "2"]'
    assert found["sample of a"] == "vector 3"
    assert found["lr"] == "0.01"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("seed", 3),
        ("training__lr", 0.5),
        ("training__local_steps", 7),
        ("network__split", [1.0, 2.0, 1.0]),
        ("overlay__by_samples", True),
        ("peer__staleness", 0.25),
        ("method_options", {"head_weight": 0.5}),
    ],
)
def test_another_value_is_another_term(setting, value):
    assert terms(**{setting: value}) != terms()


def test_an_overlay_file_is_known_by_what_it_holds(tmp_path):
    for name, text in (("x", "a b"), ("y", "a b"), ("z", "a c")):
        (tmp_path / name).write_text(text)
    x, y, z = (terms(overlay__topology=f"file:{tmp_path / name}") for name in "xyz")
    assert x == y
    assert x != z
    with pytest.raises(ConfigError, match="cannot read"):
        terms(overlay__topology=f"file:{tmp_path / 'none'}")
