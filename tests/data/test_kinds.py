import numpy as np
import pytest

from parse_dfl.agents import Kind
from parse_dfl.data.kinds import arrange
from parse_dfl.errors import DataError


def of(shape):
    """Samples of a shape whose every entry differs."""
    return np.arange(2 * np.prod(shape), dtype=np.float32).reshape(2, *shape)


@pytest.mark.parametrize(
    ("shape", "kind", "inside"),
    [
        ((12,), "vector", (12,)),
        ((128, 6), "series", (128, 6)),
        ((10, 3), "series", (10, 3)),
        ((50, 16), "series", (50, 16)),
        ((28, 28), "image", (28, 28)),
        ((28, 28, 1), "image", (28, 28, 1)),
        ((28, 28, 3), "image", (28, 28, 3)),
        ((28, 28, 4), "image", (28, 28, 4)),
        ((1, 28, 28), "image", (28, 28, 1)),
        ((16, 32, 32), "video", (16, 32, 32)),
        ((16, 32, 32, 3), "video", (16, 32, 32, 3)),
    ],
)
def test_a_shape_that_tells_its_kind(shape, kind, inside):
    found = arrange("m", of(shape))
    assert (found.kind, found.values.shape[1:], found.note) == (kind, inside, "")


@pytest.mark.parametrize(
    ("shape", "kind", "inside", "instead"),
    [
        ((16000,), "vector", (16000,), "--kind m=series"),
        ((1, 16000), "series", (16000, 1), "--kind m=vector"),
        ((1, 6), "vector", (6,), "--kind m=series:ct"),
        ((50, 32), "image", (50, 32), "--kind m=series:tc"),
        ((48, 64, 3), "image", (48, 64, 3), "--kind m=series or --kind m=video:thw"),
        ((3, 48, 48), "image", (48, 48, 3), "--kind m=video:thw"),
        ((3, 48, 64), "image", (48, 64, 3), "--kind m=video:thw"),
        ((20, 24, 32), "video", (20, 24, 32), "--kind m=image:hwc"),
        ((16, 3, 32, 24), "video", (16, 32, 24, 3), "--kind m=video:thwc"),
        ((3, 16, 32, 24), "video", (16, 32, 24, 3), "--kind m=video:thwc"),
    ],
)
def test_a_guess_that_may_be_wrong_is_said(shape, kind, inside, instead):
    found = arrange("m", of(shape))
    assert (found.kind, found.values.shape[1:]) == (kind, inside)
    assert f"'m', {' × '.join(map(str, shape))} a sample, is read as {kind}" in found.note
    assert instead in found.note


@pytest.mark.parametrize(
    "shape",
    [(6, 128), (8, 8), (3, 16), (64, 1000), (1000, 64), (4, 28, 28), (2, 28, 28), (16, 3, 128),
     (8, 8, 12), (3, 20, 4), (3, 3, 3), (8, 8, 8, 8), (3, 4, 4, 4)],
)  # fmt: skip
def test_what_is_ambiguous_is_asked_for(shape):
    with pytest.raises(DataError, match=r"'m', .* does not tell what it is; .* --kind m="):
        arrange("m", of(shape))


def test_too_many_axes():
    with pytest.raises(DataError, match="1 to 4 axes"):
        arrange("m", of((1, 2, 3, 4, 5)))


@pytest.mark.parametrize(
    ("shape", "declared", "laid_out"),
    [
        ((64, 20, 3), "series", (64, 60)),
        ((64, 20, 3), "vector", (3840,)),
        ((128,), "series", (128, 1)),
        ((1, 128), "series", (128, 1)),
        ((1, 128), "series:tc", (1, 128)),
        ((50, 32), "series", (50, 32)),
        ((6, 128), "series:ct", (128, 6)),
        ((50, 3), "image", (50, 3)),
        ((16, 8, 8), "image", (16, 8, 8)),
        ((4, 9, 8), "image", (9, 8, 4)),
        ((3, 48, 48), "image", (48, 48, 3)),
        ((3, 3, 3), "image", (3, 3, 3)),
        ((2, 3, 4), "image:chw", (3, 4, 2)),
        ((8, 8, 3), "video", (8, 8, 3)),
        ((9, 3, 8, 7), "video", (9, 8, 7, 3)),
        ((2, 3, 4, 5), "video:cthw", (3, 4, 5, 2)),
        ((9, 8, 7, 6), "video", (9, 8, 7, 6)),
    ],
)
def test_declared_kind_lays_samples_out(shape, declared, laid_out):
    found = arrange("m", of(shape), declared)
    assert (found.values.shape[1:], found.kind) == (laid_out, Kind(declared.partition(":")[0]))
    assert found.layout.given == shape
    assert sorted(found.values.ravel()) == list(range(2 * int(np.prod(shape))))


def test_channels_first_are_turned_and_not_cut():
    values = of((3, 8, 12))
    np.testing.assert_array_equal(arrange("m", values).values, np.moveaxis(values, 1, -1))
    clip = of((3, 9, 8, 7))
    found = arrange("m", clip, "video:cthw").values
    np.testing.assert_array_equal(found, np.moveaxis(clip, 1, -1))


def test_a_series_of_few_steps_and_many_channels_is_said():
    assert "6 steps of 128 channels" in arrange("m", of((6, 128)), "series").note


@pytest.mark.parametrize(
    ("shape", "kind", "message"),
    [
        ((9,), "image", "cannot be of kind 'image'"),
        ((9, 9), "video", "cannot be of kind 'video'"),
        ((9, 9), "image:chw", "not laid out as image:chw"),
        ((3, 20, 4), "image", "which axis holds the channels; declare it: --kind m=image:hwc"),
        ((3, 4, 4, 4), "video", "which axis holds the channels"),
        ((3,), "serie", "'serie' of modality 'm'; did you mean 'series'"),
        ((3,), "vector:tc", "unknown layout 'tc' of kind 'vector' of 'm'; vector has none"),
        ((3, 4, 5), "image:hcw", "unknown layout 'hcw' .* known: chw, hw, hwc"),
    ],
)
def test_kinds_that_do_not_fit(shape, kind, message):
    with pytest.raises(DataError, match=message):
        arrange("m", of(shape), kind)
