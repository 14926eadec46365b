from __future__ import annotations

import numpy as np
import pytest

from parse_dfl.analysis.pid.features import COMPONENTS, features


def test_samples_become_standardised_vectors():
    values = np.random.default_rng(0).normal(5, 3, (50, 4, 3))
    values[:, 0, 0] = 7  # constant
    flat = features(values, seed=0)
    assert flat.shape == (50, 12)
    assert flat[:, 0] == pytest.approx(0)
    assert flat[:, 1:].mean(axis=0) == pytest.approx(0, abs=1e-5)
    assert flat[:, 1:].std(axis=0) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("value", [0.1, 1e9 + 0.1])
def test_a_constant_is_zero_in_spite_of_rounding(value):
    values = np.full((50, 2), value)
    values[:, 1] += np.arange(50)
    flat = features(values, seed=0)
    assert flat[:, 0].tolist() == [0.0] * 50
    assert flat[:, 1].std() == pytest.approx(1, abs=1e-5)


def test_wide_samples_without_variance_are_zero():
    assert not features(np.full((40, 600), 0.1), seed=0).any()


def test_wide_samples_are_reduced():
    wide = np.random.default_rng(0).standard_normal((200, 30, 30))
    assert features(wide, seed=0).shape == (200, COMPONENTS)
    assert features(wide[:20], seed=0).shape == (20, 19)
