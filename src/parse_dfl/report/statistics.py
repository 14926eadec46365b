"""Means with their uncertainty, and what may be said about a difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

SMALLEST_GAP = 0.02
"""Below this (oracle − local) a gap closed means nothing and is left out (contract)."""

SIGNIFICANCE = 0.05
"""A difference is a win or a loss where its corrected p lies below this."""

ROUNDING = 1e-9
"""Differences that are alike to this share of their size are taken for equal."""

# What has no place in a ranking of rivals.
UPPER_BOUND = "oracle"
OURS = "parse"


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean and half the width of its 95 % interval; ``half`` is None for a single value."""

    mean: float
    half: float | None
    count: int

    @property
    def is_above_zero(self) -> bool:
        """Whether the whole interval lies above zero."""
        return self.half is not None and self.mean - self.half > 0

    @property
    def is_below_zero(self) -> bool:
        """Whether the whole interval lies below zero."""
        return self.half is not None and self.mean + self.half < 0


def interval(values: Sequence[float]) -> Interval:
    """The mean of at least one value with its 95 % interval by Student's t."""
    count = len(values)
    assert count, "no values have no mean"
    half = None
    if count > 1:
        spread = float(np.std(values, ddof=1)) / count**0.5
        half = float(stats.t.ppf(0.975, count - 1)) * spread
    return Interval(mean=float(np.mean(values)), half=half, count=count)


def paired_difference(ours: Sequence[float], theirs: Sequence[float]) -> Interval | None:
    """The mean of ours − theirs, seed by seed, over the seeds that both have; None without one."""
    differences = [a - b for a, b in zip(ours, theirs, strict=False)]
    return interval(differences) if differences else None


def paired_p(ours: Sequence[float], theirs: Sequence[float]) -> float | None:
    """The two-sided p of a paired t-test, over the seeds that both have; None for fewer than two.

    Where all seeds differ by one and the same amount, t is infinite: p is 0, or 1 where that
    amount is nothing.
    """
    differences = np.array([a - b for a, b in zip(ours, theirs, strict=False)])
    if len(differences) < 2:
        return None
    if np.ptp(differences) <= ROUNDING * np.abs(differences).max():
        return float(not differences.any())
    return float(stats.ttest_1samp(differences, 0.0).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction: p so adjusted that all may be held against one level.

    The k-th smallest of m is multiplied by m − k + 1, no adjusted value is below that of a
    smaller p, and none is above 1 (Holm, "A simple sequentially rejective multiple test
    procedure", Scandinavian Journal of Statistics 6, 1979).
    """
    order = np.argsort(p_values, kind="stable")
    factors = len(p_values) - np.arange(len(p_values))
    adjusted = np.minimum(1, np.maximum.accumulate(np.asarray(p_values)[order] * factors))
    back = np.empty(len(p_values))
    back[order] = adjusted
    return [float(value) for value in back]


def gap_closed(accuracy: float, *, local: float, oracle: float) -> float | None:
    """(accuracy − local) / (oracle − local); None where oracle − local < 2 points."""
    gap = oracle - local
    return None if gap < SMALLEST_GAP else (accuracy - local) / gap


def is_ranked(method: str) -> bool:
    """Whether a method competes: the oracle sees everybody's samples and does not."""
    return method != UPPER_BOUND


def is_rival(method: str) -> bool:
    """Whether a method stands against PARSE: neither it, nor a control on its network."""
    return is_ranked(method) and not method.startswith(OURS)


def competes(method: str) -> bool:
    """Whether a method has a rank: PARSE itself and its rivals, no control, variant or bound."""
    return method == OURS or is_rival(method)
