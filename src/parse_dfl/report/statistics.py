"""Compute means with intervals, paired differences with their tests, and mean ranks.

Every interval, difference and rank of this package, in reports, in Python and in studies, comes
from here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit  # Student's t; scipy.stats takes half a second to import

from parse_dfl.records import Estimate, SeedValues

SMALLEST_GAP = 0.02
"""Where the upper bound lies less than 2 points above the lower, a gap closed means nothing."""
SIGNIFICANCE = 0.05
"""A difference is a win or a loss where its corrected p lies below this."""
ROUNDING = 1e-9
"""Differences that are alike to this share of their size are taken for equal."""


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

    @property
    def estimate(self) -> Estimate:
        """The interval as records hold it."""
        return Estimate(mean=self.mean, ci95=self.half)


def interval(values: Sequence[float]) -> Interval:
    """Return the mean of at least one value with its 95 % interval by Student's t.

    mean ± t(0.975; n − 1) · s / √n over n values.
    """
    count = len(values)
    assert count, "no values have no mean"
    half = None
    if count > 1:
        half = float(stdtrit(count - 1, 0.975) * (np.std(values, ddof=1) / count**0.5))
    return Interval(mean=float(np.mean(values)), half=half, count=count)


def seed_values(values: Sequence[float]) -> SeedValues:
    """Return the values of all seeds with their interval, as records hold them."""
    estimate = interval(values)
    return SeedValues(mean=estimate.mean, ci95=estimate.half, values=tuple(values))


def paired_difference(first: Sequence[float], second: Sequence[float]) -> Interval | None:
    """Return the mean of first − second, pair by pair; None without a pair."""
    differences = [a - b for a, b in zip(first, second, strict=True)]
    return interval(differences) if differences else None


def paired_p(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return the two-sided p of a paired t-test; None for fewer than two pairs.

    Where all pairs differ by one and the same amount, t is infinite: p is 0, or 1 where that
    amount is nothing.
    """
    differences = np.subtract(first, second)
    count = len(differences)
    if count < 2:
        return None
    if np.ptp(differences) <= ROUNDING * np.abs(differences).max():
        return float(not differences.any())
    t = differences.mean() / (differences.std(ddof=1) / count**0.5)
    return float(2 * stdtr(count - 1, -abs(t)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values so adjusted that all may be held against one level.

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


def gap_closed(accuracy: float, *, lower: float, upper: float) -> float | None:
    """Return (accuracy − lower) / (upper − lower); None where upper − lower < 2 points."""
    gap = upper - lower
    return None if gap < SMALLEST_GAP else (accuracy - lower) / gap


def mean_ranks(cells: Sequence[Mapping[str, float]], names: Sequence[str]) -> dict[str, float]:
    """Return each name's mean rank, 1 for the highest value of a cell; equals share a rank."""
    ranks = []
    for cell in cells:
        values = np.array([cell[name] for name in names])
        above = (values > values[:, None]).sum(axis=1)
        equal = (values == values[:, None]).sum(axis=1)
        ranks.append(above + (equal + 1) / 2)
    return dict(zip(names, np.mean(ranks, axis=0).tolist(), strict=True)) if ranks else {}
