import numpy as np
import pytest

from parse_dfl.data.digits import digits, digits_from_text
from parse_dfl.errors import DataError


def test_two_halves():
    data = digits()
    assert (data.name, data.samples, data.classes) == ("digits", 1797, 10)
    assert {name: data.shape(name) for name in data.modalities} == {"top": (32,), "bottom": (32,)}
    assert {values.max() for values in data.modalities.values()} == {1.0}


@pytest.mark.parametrize("parts", [4, 8])
def test_bands_are_the_halves_cut_finer(parts):
    halves, bands = digits(), digits_from_text(str(parts))
    assert list(bands.modalities) == [f"part{part + 1}" for part in range(parts)]
    np.testing.assert_array_equal(
        np.hstack(list(bands.modalities.values())), np.hstack(list(halves.modalities.values()))
    )


@pytest.mark.parametrize("parts", ["3", "0", "x", "-2"])
def test_other_parts(parts):
    with pytest.raises(DataError, match=f"'?{parts}'? parts; use one of 2, 4, 8"):
        digits_from_text(parts)
