import json

import numpy as np
import pytest

from parse_dfl.data.built_in import SyntheticConfig, synthetic
from parse_dfl.data.dataset import describe
from parse_dfl.data.mapping import from_mapping
from parse_dfl.data.splits import split
from parse_dfl.errors import DataError


@pytest.fixture
def data():
    return from_mapping(
        "mine",
        {"acc": np.ones((4, 8, 3)), "gyro": np.ones((4, 8, 3))},
        [0, 1, 0, 1],
        subject=[1, 1, 2, 2],
        keys={"room": ["x", "y", "y", "x"], "weight": [0.5, 1.5, 2.5, 3.5]},
    )


def test_require(data):
    data.require(["acc", "gyro"])
    with pytest.raises(DataError, match="'mine' has no modality 'gyr'; did you mean 'gyro'"):
        data.require(["acc", "gyr"])
    with pytest.raises(DataError, match="it is a column of one value a sample"):
        data.require(["room"])


def test_kinds_change_only_what_is_named(data):
    changed = data.with_kinds({"acc": "vector"})
    assert (changed.shape("acc"), changed.kinds["acc"]) == ((24,), "vector")
    assert (changed.shape("gyro"), changed.kinds["gyro"]) == ((8, 3), "series")


def test_another_subject(data):
    changed = data.with_subject("room")
    assert (changed.subject.tolist(), changed.subject_names) == ([0, 1, 1, 0], ("x", "y"))
    assert data.with_subject("subject") is data


def test_unusable_subject(data):
    with pytest.raises(DataError, match="no column 'rom'; did you mean 'room'"):
        data.with_subject("rom")
    with pytest.raises(DataError, match="'weight' has type float64"):
        data.with_subject("weight")


def test_description_is_plain_json():
    data = synthetic(SyntheticConfig(samples=160))
    text = describe(data, split(data))
    assert json.loads(json.dumps(text)) == text
    assert text["modalities"]["a"] == {"kind": "vector", "shape": [16]}
    assert text["label_counts"]["0000"] == 10
    assert text["split"] == {"train": 102, "validation": 26, "test": 32}
    assert (text["samples"], text["classes"], text["subjects"]) == (160, 16, None)
