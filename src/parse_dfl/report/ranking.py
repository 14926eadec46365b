"""Who is ahead in a comparison, and whether that can be said."""

from __future__ import annotations

from parse_dfl.report.records import Comparison
from parse_dfl.report.standings import standings_of
from parse_dfl.report.statistics import (
    OURS,
    interval,
    is_ranked,
    is_rival,
    paired_difference,
)
from parse_dfl.report.units import percent_interval, points_interval, seeds


def ranked(comparison: Comparison) -> list[str]:
    """The methods but for the oracle and those that diverged, the highest mean accuracy first."""
    means = {
        name: interval(result.mean_accuracy).mean
        for name, result in comparison.methods.items()
        if is_ranked(name) and not result.diverged
    }
    return sorted(means, key=lambda name: -means[name])


def best_rival_sentence(comparison: Comparison) -> str | None:
    """``parse`` against the best method that is neither it nor a control on its network."""
    if OURS in comparison.diverged:
        return f"{OURS} diverged, so nothing can be said of it."
    rivals = [name for name in ranked(comparison) if is_rival(name)]
    if OURS not in comparison.methods or not rivals:
        return None
    return pair_sentence(comparison, OURS, rivals[0])


def best_sentence(comparison: Comparison) -> str:
    """Names the best method, and says whether it can be told from the runner-up."""
    order = ranked(comparison)
    if not order:
        if comparison.diverged:
            return "Every method diverged, so there is nothing to compare."
        return "Only the oracle was run, so there is nothing to compare."
    accuracy = percent_interval(interval(comparison.methods[order[0]].mean_accuracy))
    text = f"{order[0]} has the highest mean accuracy, {accuracy} %."
    return f"{text} {pair_sentence(comparison, *order[:2])}" if len(order) > 1 else text


def pair_sentence(comparison: Comparison, one: str, other: str) -> str:
    """What may be said about the difference of two methods' mean accuracies, paired by seed."""
    mean = standings_of(comparison)[0]
    difference = paired_difference(*mean.paired(one, other))
    if difference is None:
        return f"{one} and {other} share no seed, so their difference cannot be told."
    text = (
        f"{one} against {other}, paired over {seeds(difference.count)}: "
        f"{points_interval(difference)}"
    )
    if difference.half is None:
        return f"{text}; one seed gives no interval, so nothing follows from it."
    if difference.is_above_zero:
        return f"{text}: ahead."
    if difference.is_below_zero:
        return f"{text}: behind."
    return f"{text}: the interval holds zero, so the two cannot be told apart."
