import numpy as np
import pytest

from parse_dfl.data.kinds import arrange, kind_of_shape
from parse_dfl.errors import DataError
from parse_dfl.modalities import Kind


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ((12,), "vector"),
        ((128, 6), "series"),
        ((50, 16), "series"),
        ((50, 17), "image"),
        ((28, 28, 1), "image"),
        ((28, 28, 3), "image"),
        ((28, 20, 3), "video"),
        ((16, 32, 32), "video"),
        ((16, 32, 32, 3), "video"),
    ],
)
def test_kind_by_shape(shape, kind):
    assert kind_of_shape("m", shape) == kind


def test_too_many_axes():
    with pytest.raises(DataError, match="1 to 4 axes"):
        kind_of_shape("m", (1, 2, 3, 4, 5))


@pytest.mark.parametrize(
    ("shape", "kind", "laid_out"),
    [
        ((64, 20, 3), "series", (64, 60)),
        ((64, 20, 3), "vector", (3840,)),
        ((128,), "series", (128, 1)),
        ((50, 32), "series", (50, 32)),
        ((50, 3), "image", (50, 3)),
        ((16, 8, 8), "image", (16, 8, 8)),
        ((8, 8, 3), "video", (8, 8, 3)),
    ],
)
def test_declared_kind_lays_samples_out(shape, kind, laid_out):
    values, found = arrange("m", np.zeros((2, *shape), np.float32), kind)
    assert (values.shape, found) == ((2, *laid_out), Kind(kind))


@pytest.mark.parametrize(("shape", "kind"), [((9,), "image"), ((9, 9), "video")])
def test_kind_that_does_not_fit(shape, kind):
    with pytest.raises(DataError, match=f"'m' .* cannot be of kind '{kind}'"):
        arrange("m", np.zeros((2, *shape)), kind)


def test_unknown_kind_offers_the_nearest():
    with pytest.raises(DataError, match="'serie' of modality 'm'; did you mean 'series'"):
        arrange("m", np.zeros((2, 3)), "serie")
