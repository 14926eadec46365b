from __future__ import annotations

import numpy as np
import pytest

from parse_dfl.analysis.pid import diagnostics, estimate
from parse_dfl.analysis.pid.class_probabilities import ClassProbabilities
from parse_dfl.analysis.pid.decomposition import Information


def test_counting_many_combinations_is_doubted():
    a, b, label = np.random.default_rng(0).integers(0, 15, (3, 400))
    decomposition = estimate(a, b, label, bootstrap=20)
    assert "counting overstates the total by about" in decomposition.warnings[0]
    assert decomposition.bits.total > 1  # though nothing is to be known


def test_the_bias_of_counting_is_foretold():
    rng = np.random.default_rng(0)
    totals = [
        estimate(*rng.integers(0, 3, (2, 500)), rng.integers(0, 4, 500), bootstrap=0).bits.total
        for _ in range(20)
    ]
    foretold = diagnostics.plug_in_bias(np.full((3, 3, 4), 1 / 36), 500)
    assert np.mean(totals) == pytest.approx(foretold, rel=0.2)


def test_few_samples_and_rare_classes_are_doubted():
    few, rare = diagnostics.of_samples(np.repeat([0, 1], [200, 3]))
    assert "only 203 samples" in few
    assert "2 classes, the rarest with 3 samples" in rare
    assert not list(diagnostics.of_samples(np.repeat([0, 1], 400)))


def test_an_unreliable_classifier_is_named():
    label = np.tile([0, 1], 500)
    honest = np.log(np.full((1000, 2), 0.5))
    boastful = np.log(np.tile([0.9, 0.1], (1000, 1)))
    probabilities = ClassProbabilities(first=honest, second=boastful, joint=honest, label=label)
    (doubt,) = diagnostics.of_calibration(probabilities, ("audio", "video"))
    assert doubt.startswith("the classifier of video is poorly calibrated")
    assert "40 points" in doubt


def test_a_weak_joint_classifier_and_an_open_gap_are_doubted():
    weak, wide = diagnostics.of_union(Information(0.5, 0.5, 1.0, 0.7), gap_bits=0.2)
    assert "finds 0.30 bits less" in weak
    assert "within 0.20 bits" in wide
    assert not list(diagnostics.of_union(Information(0.5, 0.5, 0.7, 1.0), gap_bits=0.0))


def test_a_moved_redundancy_is_doubted():
    (moved,) = diagnostics.of_move(0.4)
    assert "moved by 0.40 bits" in moved
    assert not list(diagnostics.of_move(0.0))


def test_an_unsolved_exact_decomposition_is_doubted():
    joint = np.full((2, 2, 2), 1 / 8)
    (doubt,) = diagnostics.of_counts(joint, 10_000, gap_bits=0.3)
    assert "within 0.30 bits" in doubt
    assert not list(diagnostics.of_counts(joint, 10_000, gap_bits=0.0))
