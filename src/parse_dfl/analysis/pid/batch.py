"""BATCH: the decomposition of continuous modalities, batch by batch.

The least informative joint depends on the modalities only through p(y|x1) and p(y|x2).  A batch
of m samples with their estimated probabilities is a discrete problem of m × m × classes cells,
P(i, y) = p(y|x_i) / m on either side, whose joint is found by Sinkhorn's scaling.  Liang et al.
learn that joint with a network that aligns the two sides, by gradient steps through unrolled
Sinkhorn iterations; here it is solved to its optimum instead (the problem is convex, see
:mod:`parse_dfl.analysis.pid.union_information`), which is faster and needs no tuning.
I(X1,X2;Y) comes from a classifier of both modalities, as in the paper.

Liang, Cheng, Fan, Ling, Nie, Chen, Deng, Allen, Auerbach, Mahmood, Salakhutdinov, Morency,
"Quantifying & modeling multimodal interactions: an information decomposition framework",
NeurIPS 2023, https://arxiv.org/abs/2302.12247.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parse_dfl.analysis.pid.classifiers import Readings
from parse_dfl.analysis.pid.decomposition import Information, Table, mutual_information
from parse_dfl.analysis.pid.union_information import align

BATCH = 256
"""Samples aligned at a time; smaller batches find the two sides less alike than they are."""


@dataclass(frozen=True, kw_only=True)
class BatchEstimate:
    """The information of the samples, in all and each (shape (samples, 4)), and the mean gap."""

    information: Information
    pointwise: Table
    gap_bits: float


def batch_estimate(readings: Readings, seed: int) -> BatchEstimate:
    """Align the readings in random batches and average."""
    prior = readings.prior
    first, second = np.exp(readings.first), np.exp(readings.second)
    union = np.empty(len(readings.label))
    values, weights = [], []
    for chosen in _batches(readings.label, seed):
        sides = _marginal(first[chosen], prior), _marginal(second[chosen], prior)
        alignment = align(*sides)
        own = readings.label[chosen]
        rows = np.arange(len(chosen))
        scale = alignment.first[rows, own] + alignment.second[rows, own]
        union[chosen] = scale - np.log2(prior)[own]
        alone = [mutual_information(side) for side in sides]
        values.append((*alone, alignment.bits, alignment.gap_bits))
        weights.append(len(chosen))
    of_first, of_second, of_union, gap = np.average(values, axis=0, weights=weights)
    # Batches vary in how much each modality tells in them; only what the union adds is taken.
    in_all = readings.information(readings.first), readings.information(readings.second)
    drift = (of_first - in_all[0] + of_second - in_all[1]) / 2
    information = Information(
        *in_all, union=of_union - drift, joint=readings.information(readings.joint)
    )
    columns = (
        readings.pointwise(readings.first),
        readings.pointwise(readings.second),
        union,
        readings.pointwise(readings.joint),
    )
    return BatchEstimate(
        information=information, pointwise=np.stack(columns, axis=1), gap_bits=float(gap)
    )


def _batches(label: NDArray[np.int64], seed: int) -> list[NDArray[np.int64]]:
    """All samples in random batches of about ``BATCH``, each with its share of every class."""
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.random(len(label)), label))
    count = max(1, round(len(label) / BATCH))
    return [order[start::count] for start in range(count)]


def _marginal(probabilities: Table, prior: Table) -> Table:
    """P(i, y) of a batch's p(y|x_i), scaled so that every class has its ``prior``."""
    return np.asarray(probabilities * (prior / probabilities.sum(axis=0)))
