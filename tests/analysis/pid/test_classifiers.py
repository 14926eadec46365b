"""Tests."""

from __future__ import annotations

import numpy as np
import pytest

from parse_dfl.analysis.pid.classifiers import FOLDS, calibrated, make_folds
from parse_dfl.data.splits import OverlappingWindows


@pytest.mark.parametrize("grouped", [False, True])
def test_every_sample_is_judged_once_by_a_network_that_has_not_seen_it(grouped):
    label = np.arange(200) % 4
    groups = np.arange(200) // 10 if grouped else None
    folds = make_folds(label, groups, seed=0)
    assert len(folds) == FOLDS
    assert sorted(np.concatenate([fold.judged for fold in folds])) == list(range(200))
    for fold in folds:
        assert sorted([*fold.train, *fold.stop, *fold.judged]) == list(range(200))
        if groups is not None:
            seen = groups[np.concatenate([fold.train, fold.stop])]
            assert not set(seen) & set(groups[fold.judged])


def test_no_window_that_overlaps_a_judged_one_is_trained_on():
    label = np.arange(200) // 20 % 2
    position = np.random.default_rng(0).permutation(200)
    windows = OverlappingWindows(position=position, reach=3)
    folds = make_folds(label, windows.groups(label), 0, windows)
    assert sorted(np.concatenate([fold.judged for fold in folds])) == list(range(200))
    for fold in folds:
        seen = position[np.concatenate([fold.train, fold.stop])]
        assert np.abs(seen[:, None] - position[fold.judged]).min() > 3
        assert len(seen) > 80


def test_classes_are_dealt_evenly():
    label = np.repeat([0, 1], [150, 50])
    counts = [np.bincount(label[fold.judged]) for fold in make_folds(label, None, seed=0)]
    assert all(tuple(count) == (30, 10) for count in counts)


def test_no_group_stops_the_training_that_it_takes_part_in():
    label, groups = np.arange(300) % 3, np.arange(300) // 10
    for fold in make_folds(label, groups, seed=0):
        assert not set(groups[fold.stop]) & set(groups[fold.train])
        assert set(label[fold.train]) == {0, 1, 2}
        assert 0 < len(fold.stop) < len(fold.train) / 2


def test_where_whole_groups_would_be_too_many_samples_stop():
    label, groups = np.arange(40) % 2, np.arange(40) // 20
    for fold in make_folds(label, groups, seed=0):
        assert len(fold.stop) == 3
        assert len(fold.train) == 17


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
