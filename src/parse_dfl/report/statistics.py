"""Means with their uncertainty, and what may be said about a difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

SMALLEST_GAP = 0.02
"""Below this (oracle − local) a gap closed means nothing and is left out (contract)."""

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
    """The mean of ``values`` with its 95 % interval by Student's t."""
    count = len(values)
    half = None
    if count > 1:
        spread = float(np.std(values, ddof=1)) / count**0.5
        half = float(stats.t.ppf(0.975, count - 1)) * spread
    return Interval(mean=float(np.mean(values)), half=half, count=count)


def paired_difference(ours: Sequence[float], theirs: Sequence[float]) -> Interval:
    """The mean of ours − theirs, seed by seed, over the seeds that both have."""
    return interval([a - b for a, b in zip(ours, theirs, strict=False)])


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
