import numpy as np
import pytest

from parse_dfl.data.digits import digits, digits_from_text
from parse_dfl.errors import DataError


def test_two_halves():
    data = digits()
    assert (data.name, data.samples, data.classes) == ("digits", 1797, 10)
    assert {name: data.shape(name) for name in data.modalities} == {"top": (32,), "bottom": (32,)}
    assert {values.max() for values in data.modalities.values()} == {1.0}


def test_they_are_what_scikit_learn_loads():
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    data = digits()
    pixels = np.hstack(list(data.modalities.values()))
    np.testing.assert_array_equal(pixels, images.astype(np.float32) / 16)
    np.testing.assert_array_equal(data.label, labels)


def test_a_scikit_learn_without_its_file(monkeypatch):
    monkeypatch.setattr("parse_dfl.data.digits._FILE", "elsewhere.csv.gz")
    with pytest.raises(DataError, match=r"not at .*elsewhere\.csv\.gz; install scikit-learn again"):
        digits()


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
