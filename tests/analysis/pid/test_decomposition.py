"""Atoms follow from informations, and intervals from the samples' own parts in them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parse_dfl.analysis.pid import estimate
from parse_dfl.analysis.pid.class_probabilities import ClassProbabilities
from parse_dfl.analysis.pid.decomposition import (
    Bits,
    Decomposition,
    Estimate,
    Information,
    bootstrap_intervals,
    calibration_warnings,
    count_warnings,
    entropy,
    move_warnings,
    mutual_information,
    plug_in_bias,
    sample_warnings,
    union_warnings,
)

bits = st.floats(-0.5, 3, allow_nan=False)


def test_entropy_and_mutual_information_are_in_bits():
    assert entropy(np.full((2, 4), 1 / 8)) == pytest.approx(3)
    assert mutual_information(np.eye(4) / 4) == pytest.approx(2)
    assert mutual_information(np.full((4, 4), 1 / 16)) == pytest.approx(0)


@given(bits, bits, bits, bits)
def test_no_atom_is_negative_and_the_single_sums_hold(first, second, union, joint):
    atoms = Information(first, second, union, joint).atoms()
    assert min(atoms) >= -1e-12
    assert atoms.redundant + atoms.unique_first == pytest.approx(max(first, 0))
    assert atoms.redundant + atoms.unique_second == pytest.approx(max(second, 0))
    assert sum(atoms) >= joint - 1e-12


def test_a_union_out_of_bounds_is_moved_to_the_nearest_one():
    assert Information(0.5, 0.4, 2.0, 0.7).within_bounds() == (0.5, 0.4, 0.7, 0.7)
    assert Information(0.5, 0.4, 0.1, 1.0).within_bounds() == (0.5, 0.4, 0.5, 1.0)
    assert Information(0.5, 0.4, 0.6, 1.0).within_bounds().union == 0.6


def test_a_decomposition_is_written_as_json():
    decomposition = Decomposition(
        bits=Bits(redundant=0.1, unique={"a": 0.2, "b": 0.3}, synergistic=0.4),
        ci95={"redundant": (0.0, 0.2), "unique": {"a": (0.1, 0.3), "b": (0.2, 0.4)}},
        method="batch",
        samples=100,
        classes=3,
        warnings=("few samples",),
    )
    assert decomposition.bits.of("b") == pytest.approx(0.4)
    written = decomposition.to_dict()
    assert json.loads(json.dumps(written)) == written
    assert written["bits"]["total"] == pytest.approx(1.0)
    assert written["ci95"]["unique"] == {"a": [0.1, 0.3], "b": [0.2, 0.4]}
    assert written["warnings"] == ["few samples"]


def intervals(pointwise, groups=None):
    information = Information(*pointwise.mean(axis=0))
    estimate = Estimate(information=information, pointwise=pointwise, warnings=())
    return bootstrap_intervals(estimate, resamples=400, groups=groups, seed=0)


@pytest.fixture
def samples():
    rng = np.random.default_rng(0)
    return rng.normal((0.6, 0.5, 0.8, 1.2), 0.3, (500, 4))


def test_the_width_is_that_of_the_mean(samples):
    *_, (low, high) = intervals(samples)
    assert high - low == pytest.approx(2 * 1.96 * 0.3 / np.sqrt(500), rel=0.2)


def test_groups_are_drawn_whole(samples):
    copies = np.repeat(samples, 4, axis=0)
    blind = intervals(copies)[-1]
    aware = intervals(copies, np.repeat(np.arange(500), 4))[-1]
    assert aware[1] - aware[0] == pytest.approx(2 * (blind[1] - blind[0]), rel=0.25)


def test_the_total_of_an_and_gate_is_covered():
    rng = np.random.default_rng(1)
    hits = 0
    for seed in range(40):
        a, b = rng.integers(0, 2, (2, 400))
        decomposition = estimate(a, b, a & b, bootstrap=200, seed=seed)
        low, high = decomposition.ci95["total"]
        hits += low <= 0.811 <= high
    assert hits >= 34


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
    foretold = plug_in_bias(np.full((3, 3, 4), 1 / 36), 500)
    assert np.mean(totals) == pytest.approx(foretold, rel=0.2)


def test_few_samples_and_rare_classes_are_doubted():
    few, rare = sample_warnings(np.repeat([0, 1], [200, 3]))
    assert "only 203 samples" in few
    assert "2 classes, the rarest with 3 samples" in rare
    assert not list(sample_warnings(np.repeat([0, 1], 400)))


def test_an_unreliable_classifier_is_named():
    label = np.tile([0, 1], 500)
    honest = np.log(np.full((1000, 2), 0.5))
    boastful = np.log(np.tile([0.9, 0.1], (1000, 1)))
    probabilities = ClassProbabilities(first=honest, second=boastful, joint=honest, label=label)
    (doubt,) = calibration_warnings(probabilities, ("audio", "video"))
    assert doubt.startswith("the classifier of video is poorly calibrated")
    assert "40 points" in doubt


def test_a_weak_joint_classifier_and_an_open_gap_are_doubted():
    weak, wide = union_warnings(Information(0.5, 0.5, 1.0, 0.7), gap_bits=0.2)
    assert "finds 0.30 bits less" in weak
    assert "within 0.20 bits" in wide
    assert not list(union_warnings(Information(0.5, 0.5, 0.7, 1.0), gap_bits=0.0))


def test_a_moved_redundancy_is_doubted():
    (moved,) = move_warnings(0.4)
    assert "moved by 0.40 bits" in moved
    assert not list(move_warnings(0.0))


def test_an_unsolved_exact_decomposition_is_doubted():
    joint = np.full((2, 2, 2), 1 / 8)
    (doubt,) = count_warnings(joint, 10_000, gap_bits=0.3)
    assert "within 0.30 bits" in doubt
    assert not list(count_warnings(joint, 10_000, gap_bits=0.0))
