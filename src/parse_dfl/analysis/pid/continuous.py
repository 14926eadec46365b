"""Decompose continuous modalities from calibrated class probabilities: BATCH and LSMI.

**BATCH.**  The least informative joint depends on the modalities only through p(y|x1) and
p(y|x2).  A batch of m samples with their estimated probabilities is a discrete problem of
m × m × classes cells, P(i, y) = p(y|x_i) / m on either side, whose joint is found by Sinkhorn's
scaling.  Liang et al. learn that joint with a network that aligns the two sides, by gradient
steps through unrolled Sinkhorn iterations; here it is solved to its optimum instead (the problem
is convex, see :mod:`parse_dfl.analysis.pid.discrete`), which is faster and needs no tuning.
I(X1,X2;Y) comes from a classifier of both modalities, as in the paper.

**LSMI.**  A sample's information i(x;y) = log p(y|x)/p(y) is the difference of its specificity
i⁺ = h(x) = -log p(x) and its ambiguity i⁻ = h(x|y) = h(x) - i(x;y).  What two modalities share
of each is the lesser (Finn and Lizier's lattices), so that the redundancy is

    r = min(h(x1), h(x2)) - min(h(x1) - i(x1;y), h(x2) - i(x2;y)),

and u1 = i(x1;y) - r, u2 = i(x2;y) - r, s = i(x1,x2;y) - r - u1 - u2.  One constant is then moved
between r, s and u1, u2 so that no mean is negative, as the paper does.  Entropies of a continuous
x depend on its coordinates.  Here x is the vector of calibrated class log-odds, which holds all
that x tells about the label and has the same dimension and unit for every modality; its density
is a mixture of Gaussians (fitted by expectation-maximisation where the paper takes gradient
steps).

Liang, Cheng, Fan, Ling, Nie, Chen, Deng, Allen, Auerbach, Mahmood, Salakhutdinov, Morency,
"Quantifying & modeling multimodal interactions: an information decomposition framework",
NeurIPS 2023, https://arxiv.org/abs/2302.12247.
Yang, Wang, Hu, "Efficient quantification of multimodal interaction at sample level", ICML 2025,
https://arxiv.org/abs/2506.17248.
Finn, Lizier, "Pointwise partial information decomposition using the specificity and ambiguity
lattices", Entropy 2018, 20(4), https://doi.org/10.3390/e20040297.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from parse_dfl.analysis.pid.class_probabilities import ClassProbabilities
from parse_dfl.analysis.pid.decomposition import (
    Atoms,
    Estimate,
    Information,
    Table,
    move_warnings,
    mutual_information,
    union_warnings,
)
from parse_dfl.analysis.pid.discrete import union_information

BATCH_SIZE = 256
"""Samples aligned at a time; smaller batches find the two sides less alike than they are."""
COMPONENTS = 5
"""Gaussians per density, as many as the paper's estimator has."""
REGULARISATION = 1e-2
"""Least variance of a component, in squared nats of log-odds."""


def batch_estimate(probabilities: ClassProbabilities, seed: int) -> Estimate:
    """Solve the union of random batches of ``probabilities``, and average (BATCH)."""
    prior, label = probabilities.prior, probabilities.label
    first, second = np.exp(probabilities.first), np.exp(probabilities.second)
    union_of_sample = np.empty(len(label))
    values, weights = [], []
    for batch in _batches(label, seed):
        marginals = _marginal(first[batch], prior), _marginal(second[batch], prior)
        union = union_information(*marginals)
        rows, classes = np.arange(len(batch)), label[batch]
        scale = union.log_u[rows, classes] + union.log_v[rows, classes]
        union_of_sample[batch] = scale - np.log2(prior)[classes]
        single = [mutual_information(marginal) for marginal in marginals]
        values.append((*single, union.bits, union.gap_bits))
        weights.append(len(batch))
    of_first, of_second, of_union, gap = np.average(values, axis=0, weights=weights)
    # Batches vary in how much each modality tells in them; only what the union adds is taken.
    overall_first = probabilities.information(probabilities.first)
    overall_second = probabilities.information(probabilities.second)
    drift = (of_first - overall_first + of_second - overall_second) / 2
    information = Information(
        first=overall_first,
        second=overall_second,
        union=of_union - drift,
        joint=probabilities.information(probabilities.joint),
    )
    in_first, in_second, in_joint = probabilities.all_pointwise()
    return Estimate(
        information=information,
        pointwise=np.stack([in_first, in_second, union_of_sample, in_joint], axis=1),
        warnings=tuple(union_warnings(information, float(gap))),
    )


def _batches(label: NDArray[np.int64], seed: int) -> list[NDArray[np.int64]]:
    """Return all samples in random batches, each with its share of every class."""
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.random(len(label)), label))
    count = max(1, round(len(label) / BATCH_SIZE))
    return [order[start::count] for start in range(count)]


def _marginal(probabilities: Table, prior: Table) -> Table:
    """Return P(i, y) of a batch's p(y|x_i), scaled so that every class has its ``prior``."""
    return np.asarray(probabilities * (prior / probabilities.sum(axis=0)))


def lsmi_estimate(probabilities: ClassProbabilities, seed: int) -> Estimate:
    """Decompose the information of every sample (LSMI)."""
    first, second, joint = probabilities.all_pointwise()
    surprisal_first = _surprisal(probabilities.first, seed)
    surprisal_second = _surprisal(probabilities.second, seed)
    specificity = np.minimum(surprisal_first, surprisal_second)
    ambiguity = np.minimum(surprisal_first - first, surprisal_second - second)
    redundant = specificity - ambiguity
    union = first + second - redundant
    raw = Information(first.mean(), second.mean(), union.mean(), joint.mean())
    information = raw.within_bounds()
    moved = raw.union - information.union
    redundant, union = redundant + moved, union - moved
    atoms = [redundant, first - redundant, second - redundant, joint - union]
    return Estimate(
        information=information,
        pointwise=np.stack([first, second, union, joint], axis=1),
        warnings=tuple(move_warnings(abs(moved))),
        atoms=_atoms_within_bounds,
        per_sample=np.stack(atoms, axis=1),
    )


def _atoms_within_bounds(information: Information) -> Atoms:
    return information.within_bounds().atoms()


def _surprisal(log_p: Table, seed: int) -> Table:
    """Return -log2 of the density of each sample's log-odds, shape (samples,)."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    odds = (log_p - log_p.mean(axis=1, keepdims=True)) @ _contrasts(log_p.shape[1])
    density = GaussianMixture(
        min(COMPONENTS, len(odds)), reg_covar=REGULARISATION, random_state=seed
    )
    with warnings.catch_warnings():  # samples of equal log-odds make fewer clusters
        warnings.simplefilter("ignore", ConvergenceWarning)
        density.fit(odds)
    return np.asarray(-density.score_samples(odds) / np.log(2))


def _contrasts(classes: int) -> Table:
    """Return an orthonormal basis, shape (classes, classes - 1), of what sums to 0 over classes."""
    centred = np.eye(classes) - 1 / classes
    left, _, _ = np.linalg.svd(centred)
    return np.asarray(left[:, : classes - 1])
