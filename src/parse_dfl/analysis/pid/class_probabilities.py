"""Calibrated, held-out class probabilities of every sample: from each modality, and from both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parse_dfl.analysis.pid.calibration import calibrated
from parse_dfl.analysis.pid.classifiers import cross_scores
from parse_dfl.analysis.pid.features import Features
from parse_dfl.analysis.pid.folds import make_folds
from parse_dfl.analysis.pid.information import Table, entropy


@dataclass(frozen=True, kw_only=True)
class Readings:
    """Natural logarithms of p(y|x1), p(y|x2) and p(y|x1,x2), each shape (samples, classes)."""

    first: Table
    second: Table
    joint: Table
    label: NDArray[np.int64]

    @property
    def prior(self) -> Table:
        """p(y), shape (classes,)."""
        return np.bincount(self.label) / len(self.label)

    def pointwise(self, log_p: Table) -> Table:
        """log2 p(y|x)/p(y) of every sample's own label, shape (samples,)."""
        nats = log_p[np.arange(len(self.label)), self.label] - np.log(self.prior)[self.label]
        return np.asarray(nats / np.log(2))

    def information(self, log_p: Table) -> float:
        """I(X;Y) in bits: what the held-out cross-entropy leaves of the label's entropy."""
        return entropy(self.prior) + float((np.exp(log_p) * log_p).sum(axis=1).mean() / np.log(2))


def read(
    first: Features,
    second: Features,
    label: NDArray[np.int64],
    *,
    groups: NDArray[np.int64] | None,
    seed: int,
) -> Readings:
    """Train, cross-fit and calibrate the three classifiers.

    The joint reading also weighs in the two single ones, so that it never tells less than a
    vote between them would.
    """
    folds = make_folds(label, groups, seed)
    from_first, from_second, from_both = (
        cross_scores(inputs, label, folds, seed)
        for inputs in (first, second, np.concatenate([first, second], axis=1))
    )
    return Readings(
        first=calibrated([from_first], label),
        second=calibrated([from_second], label),
        joint=calibrated([from_both, from_first, from_second], label),
        label=label,
    )
