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
    """Folds in which every class has its share; no group is both trained on and judged."""
    rng = np.random.default_rng(seed)
    part = _stratified(label, rng) if groups is None else _by_group(label, groups, seed)
    folds = []
    for number in range(int(part.max()) + 1):
        rest = rng.permutation((part != number).nonzero()[0])
        stop = max(1, round(STOP_SHARE * len(rest)))
        judged = (part == number).nonzero()[0]
        folds.append(Fold(train=rest[stop:], stop=rest[:stop], judged=judged))
    return folds


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
