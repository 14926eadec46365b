"""Warnings about an estimate, a sentence each for the person who reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from parse_dfl.analysis.pid.decomposition import Information, Table

if TYPE_CHECKING:
    from parse_dfl.analysis.pid.class_probabilities import ClassProbabilities

FEWEST_SAMPLES = 500
FEWEST_PER_CLASS = 25
LARGEST_BIAS_BITS = 0.02
LARGEST_GAP_BITS = 0.05
LARGEST_MISCALIBRATION = 0.08
"""With a thousand samples, chance alone makes it 0.02 to 0.05."""
LARGEST_SHORTFALL_BITS = 0.05
LARGEST_MOVE_BITS = 0.1
BINS = 15


def of_counts(joint: Table, samples: int, gap_bits: float) -> Iterator[str]:
    """Judge an exact decomposition of counted frequencies, shape (x1, x2, y)."""
    bias = plug_in_bias(joint, samples)
    if bias > LARGEST_BIAS_BITS:
        yield (
            f"{samples} samples over {int((joint > 0).sum())} occurring combinations: counting "
            f"overstates the total by about {bias:.2f} bits, most of it as synergy; "
            "merge values or add samples"
        )
    if gap_bits > LARGEST_GAP_BITS:
        yield _unsolved(gap_bits)


def plug_in_bias(joint: Table, samples: int) -> float:
    """Return by how many bits counted frequencies overstate I(X1,X2;Y), to first order.

    Miller, "Note on the bias of information estimates", 1955: a degree of freedom of the test
    of independence adds 1 / (2 n ln 2).
    """
    pairs = int((joint.sum(axis=2) > 0).sum())
    classes = int((joint.sum(axis=(0, 1)) > 0).sum())
    return (pairs - 1) * (classes - 1) / (2 * samples * float(np.log(2)))


def of_samples(label: NDArray[np.int64]) -> Iterator[str]:
    """Judge whether there are enough samples to train classifiers on."""
    samples, rarest = len(label), int(np.bincount(label).min())
    if samples < FEWEST_SAMPLES:
        yield (
            f"only {samples} samples: classifiers trained on so few miss information; "
            f"{FEWEST_SAMPLES} or more are better"
        )
    if rarest < FEWEST_PER_CLASS:
        yield (
            f"{int(label.max()) + 1} classes, the rarest with {rarest} samples: too few to tell "
            f"what belongs to it; merge classes or have {FEWEST_PER_CLASS} samples of each"
        )


def of_calibration(probabilities: ClassProbabilities, names: tuple[str, str]) -> Iterator[str]:
    """Judge the classifiers: are their probabilities what they say?"""
    named = {
        names[0]: probabilities.first,
        names[1]: probabilities.second,
        "both": probabilities.joint,
    }
    for name, log_p in named.items():
        error = calibration_error(log_p, probabilities.label)
        if error > LARGEST_MISCALIBRATION:
            yield (
                f"the classifier of {name} is poorly calibrated (its confidence is off by "
                f"{100 * error:.0f} points on average)"
            )


def of_union(information: Information, gap_bits: float) -> Iterator[str]:
    """Judge the union: is it solved, and no more than the joint classifier finds?"""
    shortfall = information.union - information.joint
    if shortfall > LARGEST_SHORTFALL_BITS:
        yield (
            f"the classifier of both modalities finds {shortfall:.2f} bits less than the two "
            "single ones tell together: synergy and total are too small"
        )
    if gap_bits > LARGEST_GAP_BITS:
        yield _unsolved(gap_bits)


def of_move(moved_bits: float) -> Iterator[str]:
    """Judge a redundancy that had to be moved so that no atom is negative."""
    if moved_bits > LARGEST_MOVE_BITS:
        yield (
            f"the redundancy was moved by {moved_bits:.2f} bits so that no atom is negative; "
            "compare with --method batch"
        )


def calibration_error(log_p: Table, label: NDArray[np.int64]) -> float:
    """Return the mean distance of confidence and accuracy over bins of confidence, 0 to 1."""
    confidence = np.exp(log_p.max(axis=1))
    right = log_p.argmax(axis=1) == label
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    excess = np.bincount(bins, confidence - right, minlength=BINS)
    return float(np.abs(excess).sum() / len(label))


def _unsolved(gap_bits: float) -> str:
    return f"the least informative joint is only known to within {gap_bits:.2f} bits"
