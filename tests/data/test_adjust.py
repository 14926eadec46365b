import numpy as np
import pytest

from parse_dfl.data.adjust import require, with_kinds, with_subject
from parse_dfl.data.mapping import from_mapping
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
    require(data, ["acc", "gyro"])
    with pytest.raises(DataError, match="'mine' has no modality 'gyr'; did you mean 'gyro'"):
        require(data, ["acc", "gyr"])
    with pytest.raises(DataError, match="it is a column of one value a sample"):
        require(data, ["room"])


def test_kinds_change_only_what_is_named(data):
    changed = with_kinds(data, {"acc": "vector"})
    assert (changed.shape("acc"), changed.kinds["acc"]) == ((24,), "vector")
    assert (changed.shape("gyro"), changed.kinds["gyro"]) == ((8, 3), "series")


def test_another_subject(data):
    changed = with_subject(data, "room")
    assert (changed.subject.tolist(), changed.subject_names) == ([0, 1, 1, 0], ("x", "y"))
    assert with_subject(data, "subject") is data


def test_unusable_subject(data):
    with pytest.raises(DataError, match="no column 'rom'; did you mean 'room'"):
        with_subject(data, "rom")
    with pytest.raises(DataError, match="'weight' has type float64"):
        with_subject(data, "weight")
