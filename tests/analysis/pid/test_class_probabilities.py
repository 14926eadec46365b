"""Folds, features and calibration, of which every estimate of continuous data is made."""

from __future__ import annotations

import numpy as np
import pytest

from parse_dfl.analysis.pid.class_probabilities import (
    COMPONENTS,
    FOLDS,
    ClassProbabilities,
    calibrated,
    cross_scores,
    features,
    make_folds,
)
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


@pytest.fixture
def probabilities(overconfident):
    scores, label, _ = overconfident
    noise = np.random.default_rng(2).standard_normal(scores.shape)
    return ClassProbabilities.calibrate(scores, noise, scores + noise, label)


def test_information_is_the_mean_of_the_samples_parts(probabilities):
    first, second, joint = probabilities.all_pointwise()
    assert first.mean() == pytest.approx(probabilities.information(probabilities.first), abs=2e-3)
    assert second.mean() == pytest.approx(0, abs=5e-3)
    assert joint.mean() >= first.mean() - 1e-4  # the joint weighs in the single ones
    assert probabilities.prior.sum() == pytest.approx(1)


def test_scores_are_of_networks_that_have_not_seen_the_sample():
    rng = np.random.default_rng(3)
    inputs = rng.standard_normal((300, 20)).astype(np.float32)
    label = rng.integers(0, 3, 300)  # nothing to learn, only to memorise
    scores = cross_scores(inputs, label, make_folds(label, None, seed=0), seed=0)
    assert scores.shape == (300, 3)
    assert (scores.argmax(axis=1) == label).mean() == pytest.approx(1 / 3, abs=0.12)


def test_networks_learn_what_the_inputs_tell_and_the_seed_decides_everything():
    label = np.arange(300) % 3
    noise = np.random.default_rng(4).standard_normal((300, 4))
    inputs = (np.eye(4)[label] * 4 + noise).astype(np.float32)
    folds = make_folds(label, None, seed=0)
    scores, again = (cross_scores(inputs, label, folds, seed=5) for _ in range(2))
    assert (scores.argmax(axis=1) == label).mean() > 0.9
    assert np.array_equal(scores, again)


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
