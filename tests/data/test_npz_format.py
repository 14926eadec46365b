"""Tests."""

import io
import zipfile
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parse_dfl.data.npz_format import read_convention, read_npz
from parse_dfl.errors import DataError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "set.npz"


def test_reads_every_array(path):
    np.savez_compressed(path, a=np.arange(3), names=np.array(["x", "y"]))
    arrays = read_npz(path).arrays
    assert arrays["a"].tolist() == [0, 1, 2]
    assert arrays["names"].tolist() == ["x", "y"]


def test_missing_file(path):
    with pytest.raises(DataError, match="no file"):
        read_npz(path)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 cut off", b"\x80\x04K\x01."])
def test_file_that_is_no_npz(path, content):
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"not a readable \.npz") as found:
        read_npz(path)
    assert "pickle" not in str(found.value)


def test_single_npy_array(tmp_path):
    np.save(tmp_path / "one.npy", np.arange(3))
    with pytest.raises(DataError, match="single array"):
        read_npz(tmp_path / "one.npy")


def test_truncated_file(path):
    np.savez(path, a=np.arange(10_000))
    path.write_bytes(path.read_bytes()[:5_000])
    with pytest.raises(DataError, match=r"not a readable \.npz"):
        read_npz(path)


def test_damaged_array_is_named(path):
    np.savez(path, a=np.arange(10_000))
    content = bytearray(path.read_bytes())
    content[5_000] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"array 'a' of .* is damaged"):
        read_npz(path)


def test_pickled_array_is_named_and_never_loaded(path):
    np.savez(path, fine=np.arange(3), evil=np.array([{}, None], dtype=object))
    archive = read_npz(path)
    assert set(archive.arrays) == {"fine"}
    with pytest.raises(DataError, match=r"array 'evil' .* pickled"):
        archive.require(["evil"])


@settings(max_examples=100, deadline=None)
@given(changes=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=4))
def test_damage_anywhere_is_read_or_refused(tmp_path_factory, changes):
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    np.savez_compressed(path, a=np.arange(50), names=np.array(["x", "y"]))
    content = bytearray(path.read_bytes())
    for place, byte in changes:
        content[int(place * len(content))] = byte
    path.write_bytes(content)
    arrays = {}
    with suppress(DataError):  # nothing else may come out
        arrays = read_npz(path).arrays
    assert all(isinstance(array, np.ndarray) for array in arrays.values())


def members(path, **contents):
    array = io.BytesIO()
    np.save(array, np.arange(3))
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, array.getvalue() if content is None else content)


def test_members_that_are_no_arrays_are_left_aside(path):
    members(path, **{"a.npy": None, "README.txt": "hi", "__MACOSX/._a.npy": "x", "sub/": ""})
    archive = read_npz(path)
    assert set(archive.arrays) == {"a"}
    assert archive.ignored == {
        "README.txt": "not a numpy array",
        "__MACOSX/._a": "a system's own file",
        "sub/": "a folder",
    }


def test_a_name_that_is_there_twice(path):
    members(path, **{"acc.npy": None, "acc": None})
    with pytest.raises(DataError, match=r"two arrays called 'acc' \(as 'acc.npy' and 'acc'\)"):
        read_npz(path)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("acc.npy", "")
    with pytest.raises(DataError, match="two arrays called 'acc'"):
        read_npz(path)


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
        ({"acc": np.ones((5, 8, 3))}, r"no array can be a modality; ignored: acc \(5 rows, label"),
        ({"subject": np.arange(5)}, "'subject' has 5 values, label has 6"),
        ({"acc": np.full((SAMPLES, 3), np.nan)}, "'acc' has 18 NaN"),
        ({"a+b": np.ones((SAMPLES, 2))}, r"'a\+b' is no modality name: '\+' cannot be part"),
        (
            {"x y": np.ones((SAMPLES, 2)), "x-u20-y": np.ones((SAMPLES, 2))},
            "'x y' is there twice, by its name and by its key",
        ),
    ],
)
def test_bad_files_name_file_and_array(save, arrays, message):
    with pytest.raises(DataError, match=rf"mine\.npz.*{message}"):
        read_convention(save(**arrays))


EXTRAS = {
    "gyro": np.ones((5, 8, 3)),
    "feature_names": np.array(["x", "y", "z"]),
    "adjacency": np.eye(3),
    "notes": np.full((SAMPLES, 2), "x"),
    "objects": np.array([{}] * SAMPLES, dtype=object),
    "version": np.array(3),
}


def test_what_is_no_modality_is_ignored_and_said(save):
    data = read_convention(save(**EXTRAS))
    assert set(data.modalities) == {"acc"}
    assert set(data.ignored) == set(EXTRAS)
    (note,) = data.notes()
    for part in ("gyro (5 rows, label has 6)", "pickled (an object array)", "of type <U1"):
        assert part in note


@pytest.mark.parametrize(
    ("name", "message"),
    [("gyro", "5 samples, label has 6"), ("notes", "type <U1"), ("objects", "is pickled")],
)
def test_what_is_asked_for_by_its_name_is_refused(save, name, message):
    with pytest.raises(DataError, match=f"'{name}'.*{message}"):
        read_convention(save(**EXTRAS), modalities=["acc", name])
    with pytest.raises(DataError, match=f"'{name}'.*{message}"):
        read_convention(save(**EXTRAS), kinds={name: "vector"})


def test_a_pickled_column_is_refused_where_it_is_asked_for(save):
    with pytest.raises(DataError, match=r"'objects'.* is pickled"):
        read_convention(save(**EXTRAS), columns=["objects"])


def test_a_shape_that_tells_nothing_is_asked_for_unless_nobody_owns_it(save):
    path = save(eeg=np.ones((SAMPLES, 6, 128)))
    with pytest.raises(DataError, match=r"'eeg', 6 × 128 a sample, .* eeg=series:ct"):
        read_convention(path)
    assert "eeg" in read_convention(path, modalities=["acc"]).ignored
    assert read_convention(path, kinds={"eeg": "series:ct"}).shape("eeg") == (128, 6)


def test_names_of_any_letters(save):
    data = read_convention(
        save(**{"left wrist": np.ones((SAMPLES, 2))}), kinds={"left wrist": "vector"}
    )
    assert set(data.modalities) == {"acc", "left-u20-wrist"}


def test_a_label_that_is_pickled(save):
    with pytest.raises(DataError, match=r"array 'label' of .*mine\.npz' is pickled"):
        read_convention(save(label=np.array([{}] * SAMPLES)))


def test_only_the_named_arrays_are_returned(tmp_path):
    np.savez(tmp_path / "data.npz", label=np.arange(3), other=np.arange(2))
    assert set(read_npz(tmp_path / "data.npz").take(["label"])) == {"label"}


def test_a_missing_array_offers_the_nearest(tmp_path):
    np.savez(tmp_path / "data.npz", labels=np.arange(3))
    with pytest.raises(DataError, match="has no array 'label'; did you mean 'labels'"):
        read_npz(tmp_path / "data.npz").take(["label"])
