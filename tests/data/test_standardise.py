import numpy as np
import pytest

from parse_dfl.data.standardise import LEAST_SCALE, fit
from parse_dfl.modalities import Kind


@pytest.mark.parametrize(
    ("shape", "kind", "statistics"),
    [
        ((5,), Kind.VECTOR, (5,)),
        ((20, 3), Kind.SERIES, (1, 3)),
        ((8, 8), Kind.IMAGE, (1, 1)),
        ((8, 8, 3), Kind.IMAGE, (1, 1, 3)),
        ((4, 8, 8), Kind.VIDEO, (1, 1, 1)),
        ((4, 8, 8, 3), Kind.VIDEO, (1, 1, 1, 3)),
    ],
)
def test_every_feature_or_channel_gets_mean_zero_and_deviation_one(shape, kind, statistics):
    spread = np.arange(1, shape[-1] + 1)
    values = np.random.default_rng(0).normal(3, spread, (200, *shape)).astype(np.float32)
    standardiser = fit(values, kind)
    assert standardiser.mean.shape == standardiser.scale.shape == statistics
    result = standardiser.apply(values)
    pooled = tuple(axis for axis, size in enumerate((1, *statistics)) if size == 1)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result.mean(axis=pooled), 0, atol=1e-5)
    np.testing.assert_allclose(result.std(axis=pooled), 1, rtol=1e-4)


def test_a_locally_constant_feature_does_not_blow_up():
    values = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
    values[:, 0] = 2
    standardiser = fit(values, Kind.VECTOR)
    overall = np.sqrt((values.std(axis=0) ** 2).mean())
    assert standardiser.scale[0] == pytest.approx(LEAST_SCALE * overall, rel=1e-5)
    assert standardiser.apply(values)[:, 0].tolist() == [0] * 64


def test_all_constant_is_left_unscaled():
    standardiser = fit(np.full((3, 2), 7, np.float32), Kind.VECTOR)
    assert standardiser.scale.tolist() == [1, 1]
