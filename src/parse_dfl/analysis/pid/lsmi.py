"""LSMI: the decomposition sample by sample.

A sample's information i(x;y) = log p(y|x)/p(y) is the difference of its specificity
i⁺ = h(x) = -log p(x) and its ambiguity i⁻ = h(x|y) = h(x) - i(x;y).  What two modalities share
of each is the lesser (Finn and Lizier's lattices), so that the redundancy is

    r = min(h(x1), h(x2)) - min(h(x1) - i(x1;y), h(x2) - i(x2;y)),

and u1 = i(x1;y) - r, u2 = i(x2;y) - r, s = i(x1,x2;y) - r - u1 - u2.  One constant is then moved
between r, s and u1, u2 so that no mean is negative, as the paper does.

Entropies of a continuous x depend on its coordinates.  Here x is the vector of calibrated class
log-odds, which holds all that x tells about the label and has the same dimension and unit for
every modality; its density is a mixture of Gaussians (fitted by expectation-maximisation where
the paper takes gradient steps).

Yang, Wang, Hu, "Efficient quantification of multimodal interaction at sample level", ICML 2025,
https://arxiv.org/abs/2506.17248.
Finn, Lizier, "Pointwise partial information decomposition using the specificity and ambiguity
lattices", Entropy 2018, 20(4), https://doi.org/10.3390/e20040297.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from parse_dfl.analysis.pid.classifiers import Readings
from parse_dfl.analysis.pid.decomposition import Information, Table

COMPONENTS = 5
"""Gaussians per density, as many as the paper's estimator has."""
REGULARISATION = 1e-2
"""Least variance of a component, in squared nats of log-odds."""


@dataclass(frozen=True, kw_only=True)
class LsmiEstimate:
    """The information of the samples, in all and each, and how far the union was moved.

    ``atoms`` has shape (samples, 4): redundant, unique of the first, of the second, synergistic.
    """

    information: Information
    pointwise: Table  # shape=(samples, 4), in the order of Information
    atoms: Table
    moved_bits: float


def lsmi_estimate(readings: Readings, seed: int) -> LsmiEstimate:
    """Decompose the readings of every sample."""
    first, second, joint = (
        readings.pointwise(log_p) for log_p in (readings.first, readings.second, readings.joint)
    )
    surprise_first = _surprisal(readings.first, seed)
    surprise_second = _surprisal(readings.second, seed)
    specific = np.minimum(surprise_first, surprise_second)
    ambiguous = np.minimum(surprise_first - first, surprise_second - second)
    redundant = specific - ambiguous
    union = first + second - redundant
    raw = Information(first.mean(), second.mean(), union.mean(), joint.mean())
    held = hold(raw)
    moved = raw.union - held.union
    redundant, union = redundant + moved, union - moved
    return LsmiEstimate(
        information=held,
        pointwise=np.stack([first, second, union, joint], axis=1),
        atoms=np.stack([redundant, first - redundant, second - redundant, joint - union], axis=1),
        moved_bits=abs(moved),
    )


def hold(raw: Information) -> Information:
    """``raw`` with the nearest union for which no atom is negative."""
    most = min(raw.first + raw.second, raw.joint)
    return raw._replace(union=max(min(raw.union, most), raw.first, raw.second))


def _surprisal(log_p: Table, seed: int) -> Table:
    """-log2 of the density of each sample's log-odds, shape (samples,)."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    odds = (log_p - log_p.mean(axis=1, keepdims=True)) @ _contrasts(log_p.shape[1])
    density = GaussianMixture(
        min(COMPONENTS, len(odds)), reg_covar=REGULARISATION, random_state=seed
    )
    with warnings.catch_warnings():  # two readings that say the same make fewer clusters
        warnings.simplefilter("ignore", ConvergenceWarning)
        density.fit(odds)
    return np.asarray(-density.score_samples(odds) / np.log(2))


def _contrasts(classes: int) -> Table:
    """An orthonormal basis, shape (classes, classes - 1), of what sums to 0 over classes."""
    centred = np.eye(classes) - 1 / classes
    left, _, _ = np.linalg.svd(centred)
    return np.asarray(left[:, : classes - 1])
