import numpy as np
import pytest

from parse_dfl.data.convention import read_convention
from parse_dfl.errors import DataError

SAMPLES = 6


@pytest.fixture
def save(tmp_path):
    def save(**arrays):
        path = tmp_path / "mine.npz"
        whole = {"acc": np.ones((SAMPLES, 8, 3)), "label": np.arange(SAMPLES) % 2} | arrays
        np.savez(path, **{name: array for name, array in whole.items() if array is not None})
        return path

    return save


def test_modalities_and_columns_are_told_apart(save):
    path = save(
        subject=np.arange(SAMPLES),
        is_test=np.arange(SAMPLES) < 2,
        label_names=np.array(["sit", "walk"]),
        trial=np.arange(SAMPLES),
        room=np.array(list("abcdef")),
        version=np.array(3),
    )
    data = read_convention(path)
    assert data.name == "mine"
    assert set(data.modalities) == {"acc"}
    assert set(data.keys) == {"trial", "room"}
    assert data.label_names == ("sit", "walk")
    assert data.subject.tolist() == list(range(SAMPLES))
    assert data.is_test.sum() == 2


def test_column_asked_for_as_a_modality(save):
    data = read_convention(save(age=np.arange(SAMPLES)), name="other", modalities=["age", "acc"])
    assert data.shape("age") == (1,)
    assert (data.name, data.keys) == ("other", {})


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"label": None, "labels": np.arange(SAMPLES)}, "no array 'label'; did you mean 'labels'"),
        ({"gyro": np.ones((5, 8, 3))}, "'gyro' has 5 samples, label has 6"),
        ({"trial": np.arange(5)}, "'trial' has 5 values, label has 6"),
        ({"notes": np.full((SAMPLES, 2), "x")}, "'notes' has type <U1"),
    ],
)
def test_bad_files_name_file_and_array(save, arrays, message):
    with pytest.raises(DataError, match=rf"mine\.npz.*{message}"):
        read_convention(save(**arrays))
