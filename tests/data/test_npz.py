import io
import zipfile
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parse_dfl.data.npz import read_npz
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
