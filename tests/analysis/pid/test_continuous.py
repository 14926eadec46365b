"""BATCH and LSMI on class probabilities whose decomposition is known."""

from __future__ import annotations

import numpy as np
import pytest

from parse_dfl.analysis.pid.class_probabilities import ClassProbabilities
from parse_dfl.analysis.pid.continuous import batch_estimate, lsmi_estimate
from parse_dfl.analysis.pid.discrete import solve
from parse_dfl.analysis.pid.estimation import decompose

SURE = 0.98
"""Probability that a classifier gives to what it knows."""


def log_p(*known, classes):
    """Return log p(y|x), shape (samples, classes), of who knows that the class is among some."""
    table = np.full((len(known[0]), classes), (1 - SURE) / classes)
    for column in known:
        table[np.arange(len(column)), column] += SURE / len(known)
    return np.log(table)


def probabilities_of(kind, samples=1024):
    """Return the class probabilities of a modality pair that has one bit of a kind."""
    rng = np.random.default_rng(0)
    label = rng.permutation(np.arange(samples) % 2)
    knows, blind = log_p(label, classes=2), np.full((samples, 2), np.log(0.5))
    first, second, joint = {
        "redundant": (knows, knows, knows),
        "unique": (knows, blind, knows),
        "synergistic": (blind, blind, knows),
    }[kind]
    return ClassProbabilities(first=first, second=second, joint=joint, label=label)


@pytest.mark.parametrize("estimator", [batch_estimate, lsmi_estimate])
@pytest.mark.parametrize(("kind", "index"), [("redundant", 0), ("unique", 1), ("synergistic", 3)])
def test_a_bit_of_one_kind_is_found_as_that(estimator, kind, index):
    estimate = estimator(probabilities_of(kind), seed=0)
    atoms = np.array(estimate.atoms(estimate.information))
    total = atoms.sum()
    assert total == pytest.approx(1, abs=0.1)
    assert atoms[index] == pytest.approx(total, abs=0.05)
    assert np.delete(atoms, index) == pytest.approx([0, 0, 0], abs=0.05)


def test_samples_parts_average_to_the_whole():
    for estimator in (batch_estimate, lsmi_estimate):
        estimate = estimator(probabilities_of("redundant"), seed=0)
        assert estimate.pointwise.shape == (1024, 4)
        assert estimate.pointwise.mean(axis=0) == pytest.approx(
            np.array(estimate.information), abs=0.1
        )


def test_batch_agrees_with_the_exact_decomposition_of_the_same_channel():
    """Each modality sees its own bit of a four-class label through a noisy channel."""
    rng = np.random.default_rng(1)
    bits = rng.integers(0, 2, (2, 2048))
    flips = rng.random((2, 2048)) < 0.1
    seen = bits ^ flips
    label = 2 * bits[0] + bits[1]
    channel = np.where(np.arange(2)[:, None] == np.arange(2), 0.9, 0.1)
    first = channel[seen[0]][:, [0, 0, 1, 1]] / 2
    second = channel[seen[1]][:, [0, 1, 0, 1]] / 2
    joint = first * second * 4
    probabilities = ClassProbabilities(
        first=np.log(first), second=np.log(second), joint=np.log(joint), label=label
    )
    estimate = batch_estimate(probabilities, seed=0)
    truth = np.zeros((2, 2, 4))
    for a in (0, 1):
        for b in (0, 1):
            for y in range(4):
                truth[a, b, y] = channel[a, y // 2] * channel[b, y % 2] / 4
    expected = solve(truth).information.atoms()
    assert estimate.information.atoms() == pytest.approx(expected, abs=0.06)


def test_lsmi_tells_every_samples_atoms_and_names_a_moved_redundancy():
    estimate = lsmi_estimate(probabilities_of("unique"), seed=0)
    assert estimate.per_sample.shape == (1024, 4)
    means = estimate.atoms(estimate.information)
    assert estimate.per_sample.mean(axis=0) == pytest.approx(means, abs=1e-9)
    assert all("moved by" in warning for warning in estimate.warnings)


def test_probabilities_of_ones_own_are_decomposed():
    decomposition = decompose(probabilities_of("redundant"), names=("audio", "video"), bootstrap=20)
    assert list(decomposition.bits.unique) == ["audio", "video"]
    assert (decomposition.method, decomposition.samples, decomposition.classes) == (
        "batch",
        1024,
        2,
    )
    # All samples tell the same, so that resampling them changes nothing.
    interval = decomposition.ci95["redundant"]
    assert interval == pytest.approx([decomposition.bits.redundant] * 2, abs=0.05)
