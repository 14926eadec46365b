from __future__ import annotations

import numpy as np
import pytest

from parse_dfl.analysis.pid.calibration import calibrated


@pytest.fixture
def overconfident():
    """Scores that are three times as sure as they may be, and a label that follows them."""
    rng = np.random.default_rng(0)
    scores = rng.normal((1.0, 0.0, -1.0), 1.0, (2000, 3))
    chances = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    label = (rng.random((2000, 1)) > chances.cumsum(axis=1)).sum(axis=1)
    return 3 * scores, label, chances


def test_the_temperature_is_found(overconfident):
    scores, label, chances = overconfident
    assert np.exp(calibrated([scores], label)) == pytest.approx(chances, abs=0.1)


def test_entropy_is_the_cross_entropy_and_the_mean_the_frequency(overconfident):
    scores, label, _ = overconfident
    log_p = calibrated([scores], label)
    own = -log_p[np.arange(len(label)), label].mean()
    assert -(np.exp(log_p) * log_p).sum(axis=1).mean() == pytest.approx(own, abs=1e-3)
    assert np.exp(log_p).mean(axis=0) == pytest.approx(np.bincount(label) / len(label), abs=1e-3)


def test_a_classifier_that_knows_nothing_does_no_harm(overconfident):
    scores, label, _ = overconfident
    rows = np.arange(len(label))
    noise = np.random.default_rng(1).standard_normal(scores.shape)
    alone = calibrated([scores], label)[rows, label].mean()
    both = calibrated([scores, noise], label)[rows, label].mean()
    assert both == pytest.approx(alone, abs=2e-3)
    assert both >= alone - 1e-4
