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
    arrays = read_npz(path)
    assert arrays["a"].tolist() == [0, 1, 2]
    assert arrays["names"].tolist() == ["x", "y"]


def test_missing_file(path):
    with pytest.raises(DataError, match="no file"):
        read_npz(path)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 cut off", b"\x80\x04K\x01."])
def test_file_that_is_no_npz(path, content):
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"not a readable \.npz"):
        read_npz(path)


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
    with pytest.raises(DataError, match=r"array 'evil' .* pickled"):
        read_npz(path)


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
        arrays = read_npz(path)
    assert all(isinstance(array, np.ndarray) for array in arrays.values())


def test_member_that_is_no_array(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(DataError, match=r"'readme\.txt' .* not a numpy array"):
        read_npz(path)
