import numpy as np
import pytest

from parse_dfl.data.adapters.files import read_arrays
from parse_dfl.errors import DataError


def test_only_the_named_arrays_are_returned(tmp_path):
    np.savez(tmp_path / "data.npz", label=np.arange(3), other=np.arange(2))
    assert set(read_arrays(tmp_path / "data.npz", ["label"])) == {"label"}


def test_missing_array_offers_the_nearest(tmp_path):
    np.savez(tmp_path / "data.npz", labels=np.arange(3))
    with pytest.raises(DataError, match="has no array 'label'; did you mean 'labels'"):
        read_arrays(tmp_path / "data.npz", ["label"])
