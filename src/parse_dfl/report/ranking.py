"""Who is ahead in a comparison, and whether that can be said."""

from __future__ import annotations

from dataclasses import dataclass

from parse_dfl.report.records import Collection, Comparison
from parse_dfl.report.statistics import (
    OURS,
    Interval,
    interval,
    is_ranked,
    is_rival,
    paired_difference,
)
from parse_dfl.report.units import percent_interval, points_interval, seeds


@dataclass(frozen=True, kw_only=True)
class Duel:
    """One method's mean accuracy against another's, paired by seed."""

    one: str
    other: str
    difference: Interval

    def sentence(self) -> str:
        """What may be said about the difference."""
        count = self.difference.count
        text = (
            f"{self.one} against {self.other}, paired over {seeds(count)}: "
            f"{points_interval(self.difference)}"
        )
        if self.difference.half is None:
            return f"{text}; one seed gives no interval, so nothing follows from it."
        if self.difference.is_above_zero:
            return f"{text}: ahead."
        if self.difference.is_below_zero:
            return f"{text}: behind."
        return f"{text}: the interval holds zero, so the two cannot be told apart."


def ranked(comparison: Comparison) -> list[str]:
    """The methods that compete (all but the oracle), the highest mean accuracy first."""
    means = {
        name: interval(result.mean_accuracy).mean
        for name, result in comparison.methods.items()
        if is_ranked(name)
    }
    return sorted(means, key=lambda name: -means[name])


def against_best_rival(comparison: Comparison) -> Duel | None:
    """``parse`` against the best method that is neither it nor a control on its network."""
    rivals = [name for name in ranked(comparison) if is_rival(name)]
    if OURS not in comparison.methods or not rivals:
        return None
    return duel(comparison, OURS, rivals[0])


def duel(comparison: Comparison, one: str, other: str) -> Duel:
    """The paired difference of two methods' mean accuracies."""
    values = [comparison.methods[name].mean_accuracy for name in (one, other)]
    return Duel(one=one, other=other, difference=paired_difference(*values))


def best_sentence(comparison: Comparison) -> str:
    """Names the best method, and says whether it can be told from the runner-up."""
    order = ranked(comparison)
    if not order:
        return "Only the oracle was run, so there is nothing to compare."
    accuracy = percent_interval(interval(comparison.methods[order[0]].mean_accuracy))
    text = f"{order[0]} has the highest mean accuracy, {accuracy} %."
    return f"{text} {duel(comparison, *order[:2]).sentence()}" if len(order) > 1 else text


def mean_ranks(collection: Collection) -> dict[str, float]:
    """The mean rank, 1 for the best, of the methods that every comparison has."""
    orders = [ranked(comparison) for comparison in collection.comparisons]
    everywhere = set.intersection(*map(set, orders))
    kept = [[name for name in order if name in everywhere] for order in orders]
    return {name: sum(order.index(name) + 1 for order in kept) / len(kept) for name in everywhere}
