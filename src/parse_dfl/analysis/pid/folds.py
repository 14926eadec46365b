"""Which samples a classifier is trained on, stopped by, and judged on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]

FOLDS = 5
STOP_SHARE = 0.15
"""Share of the training samples kept for early stopping."""


@dataclass(frozen=True, kw_only=True)
class Fold:
    """Three disjoint sets of sample indices; the ``judged`` of all folds cover every sample."""

    train: Indices
    stop: Indices
    judged: Indices


def make_folds(label: Indices, groups: Indices | None, seed: int) -> list[Fold]:
    """Folds in which every class has its share; no group is both trained on and judged.

    Nor does a group stop the training that it takes part in, where groups are small enough.
    """
    rng = np.random.default_rng(seed)
    part = _stratified(label, rng) if groups is None else _by_group(label, groups, seed)
    folds = []
    for number in range(int(part.max()) + 1):
        rest = rng.permutation((part != number).nonzero()[0])
        stops = _stops(rest, groups, label)
        judged = (part == number).nonzero()[0]
        folds.append(Fold(train=rest[~stops], stop=rest[stops], judged=judged))
    return folds


def _stops(rest: Indices, groups: Indices | None, label: Indices) -> NDArray[np.bool_]:
    """Which of the samples ``rest``, in random order, stop the training, shape (len(rest),).

    Whole groups where there are several and the others still have every class: a network that
    is stopped by those it learns from is stopped too late.
    """
    count = max(1, round(STOP_SHARE * len(rest)))
    first = np.arange(len(rest)) < count
    if groups is None:
        return first
    own = groups[rest]
    order = own[np.sort(np.unique(own, return_index=True)[1])]
    whole = np.zeros(len(rest), dtype=np.bool_)
    classes = len(np.unique(label[rest]))
    for group in order[:-1]:
        wider = whole | (own == group)
        if wider.sum() <= 2 * count and len(np.unique(label[rest[~wider]])) == classes:
            whole = wider
        if whole.sum() >= count:
            break
    return whole if whole.any() else first


def _stratified(label: Indices, rng: np.random.Generator) -> Indices:
    """A part 0 … FOLDS-1 for each sample: dealt in turn, class by class, in random order."""
    order = np.lexsort((rng.random(len(label)), label))
    part = np.empty(len(label), dtype=np.int64)
    part[order] = np.arange(len(label)) % FOLDS
    return part


def _by_group(label: Indices, groups: Indices, seed: int) -> Indices:
    from sklearn.model_selection import StratifiedGroupKFold

    count = min(FOLDS, len(np.unique(groups)))
    part = np.empty(len(label), dtype=np.int64)
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    for number, (_, judged) in enumerate(splitter.split(label[:, None], label, groups)):
        part[judged] = number
    return part
