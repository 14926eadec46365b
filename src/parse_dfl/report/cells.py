"""How all methods stand, in one cell and over many, and pairwise tests against the best rival."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from parse_dfl.report.diverged import converged
from parse_dfl.report.formatting import percent_interval, points_interval, seeds
from parse_dfl.report.load import labels_of
from parse_dfl.report.records import Collection, Comparison
from parse_dfl.report.statistics import (
    OURS,
    SIGNIFICANCE,
    UPPER_BOUND,
    Interval,
    gap_closed,
    holm,
    interval,
    is_ranked,
    is_rival,
    paired_difference,
    paired_p,
)

MEAN = "mean"
"""The scope of all agents; other scopes are modality sets."""

KINDS = (MEAN, "unimodal", "multimodal")


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Every method's accuracies, in the order of its ``seeds``, in one comparison and scope."""

    comparison: str
    scope: str
    values: Mapping[str, tuple[float, ...]]
    seeds: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    diverged: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """The family that the scope belongs to: the mean, or uni- or multimodal agents."""
        if self.scope == MEAN:
            return MEAN
        return "multimodal" if "+" in self.scope else "unimodal"

    @property
    def means(self) -> dict[str, float]:
        """Each method's mean over seeds."""
        return {name: float(np.mean(values)) for name, values in self.values.items()}

    @property
    def rivals(self) -> list[str]:
        """The rivals, the highest mean first."""
        means = self.means
        return sorted(filter(is_rival, means), key=lambda name: -means[name])

    def paired(self, one: str, other: str) -> tuple[list[float], list[float]]:
        """The two methods' values for the seeds that both have, in the same order."""
        by_seed = [
            dict(zip(self.seeds.get(name, range(len(values))), values, strict=False))
            for name, values in ((name, self.values[name]) for name in (one, other))
        ]
        common = [seed for seed in by_seed[0] if seed in by_seed[1]]
        return [by_seed[0][seed] for seed in common], [by_seed[1][seed] for seed in common]

    def gap_closed(self, method: str) -> float | None:
        """Of the means over seeds; None without local and oracle, or where the gap is small."""
        means = self.means
        if method not in means or "local" not in means or UPPER_BOUND not in means:
            return None
        return gap_closed(means[method], local=means["local"], oracle=means[UPPER_BOUND])


def standings_of(record: Comparison | Collection) -> list[Standing]:
    """Every cell of a record: comparison by comparison the mean, then each modality set."""
    if isinstance(record, Comparison):
        return _standings(record, record.data)
    pairs = zip(record.comparisons, labels_of(record), strict=True)
    return [standing for comparison, label in pairs for standing in _standings(comparison, label)]


def of_kind(standings: Sequence[Standing], kind: str) -> list[Standing]:
    """The standings of one family."""
    return [standing for standing in standings if standing.kind == kind]


def _standings(comparison: Comparison, label: str) -> list[Standing]:
    """Methods that have diverged are named; their values are no values."""
    lost, comparison = comparison.diverged, converged(comparison)
    means = {name: result.mean_accuracy for name, result in comparison.methods.items()}
    seeds = {name: result.seeds for name, result in comparison.methods.items()}
    groups = [
        Standing(
            comparison=label,
            scope=group,
            seeds=seeds,
            diverged=lost,
            values={
                name: result.groups[group]
                for name, result in comparison.methods.items()
                if group in result.groups
            },
        )
        for group in comparison.groups
    ]
    mean = Standing(comparison=label, scope=MEAN, values=means, seeds=seeds, diverged=lost)
    return [mean, *groups]


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


OUTCOMES = ("win", "tie", "loss", "untested")


@dataclass(frozen=True, kw_only=True)
class Duel:
    """PARSE minus one rival in one cell, paired by seed.

    ``p`` is that of the paired t-test, ``p_holm`` the same after Holm's correction over all
    cells of the standing's kind; both None where one seed allows no test.
    """

    standing: Standing
    rival: str
    difference: Interval
    p: float | None
    p_holm: float | None

    @property
    def outcome(self) -> str:
        """``win`` or ``loss`` where the corrected p is below 0.05, else ``tie``."""
        return self._outcome(self.p_holm)

    @property
    def outcome_uncorrected(self) -> str:
        """The same from p as it is, which some cells pass by chance."""
        return self._outcome(self.p)

    def _outcome(self, p: float | None) -> str:
        if p is None:
            return "untested"
        if p >= SIGNIFICANCE:
            return "tie"
        return "win" if self.difference.mean > 0 else "loss"


def duels_with_best(standings: Sequence[Standing]) -> list[Duel]:
    """A duel per cell that has PARSE and a rival, against the rival of the highest mean there.

    Where the two share no seed there is none; :func:`unpaired` says where.

    That rival is picked by the same numbers that it is compared on, which favours it: the best
    of several is partly so by luck.
    """
    pairs = [(each, each.rivals[0]) for each in standings if OURS in each.values and each.rivals]
    return _corrected(pairs)


def duels_with_all(standings: Sequence[Standing]) -> list[Duel]:
    """A duel per cell and rival, corrected over all cells and rivals of a kind.

    The best rival by its mean need not be the one that is most surely ahead.
    """
    pairs = [(each, rival) for each in standings if OURS in each.values for rival in each.rivals]
    return _corrected(pairs)


def unpaired(standings: Sequence[Standing]) -> list[str]:
    """Where PARSE and its best rival share no seed, so that their difference is not known."""
    pairs = [(each, each.rivals[0]) for each in standings if OURS in each.values and each.rivals]
    return [
        f"{each.comparison}: {OURS} and its best rival {rival} share no seed"
        for each, rival in pairs
        if each.scope == MEAN and not each.paired(OURS, rival)[0]
    ]


def tally(duels: Sequence[Duel], *, corrected: bool = True) -> dict[str, int]:
    """How many duels were won, tied, lost, or could not be tested."""
    found = [duel.outcome if corrected else duel.outcome_uncorrected for duel in duels]
    return {outcome: found.count(outcome) for outcome in OUTCOMES}


def _corrected(pairs: Sequence[tuple[Standing, str]]) -> list[Duel]:
    """The duels of the pairs, in their order; each kind of standing is a family of tests."""
    pairs = [(each, rival) for each, rival in pairs if each.paired(OURS, rival)[0]]
    values = [each.paired(OURS, rival) for each, rival in pairs]
    p = [paired_p(ours, theirs) for ours, theirs in values]
    corrected: list[float | None] = [None] * len(pairs)
    for kind in KINDS:
        own = [i for i, (each, _) in enumerate(pairs) if each.kind == kind and p[i] is not None]
        for index, value in zip(own, holm([p[i] or 0.0 for i in own]), strict=True):
            corrected[index] = value
    return [
        Duel(
            standing=each,
            rival=rival,
            difference=interval([a - b for a, b in zip(*values[index], strict=True)]),
            p=p[index],
            p_holm=corrected[index],
        )
        for index, (each, rival) in enumerate(pairs)
    ]


def duels_of_kind(duels: Sequence[Duel], kind: str) -> list[Duel]:
    """The duels of one family."""
    return [duel for duel in duels if duel.standing.kind == kind]
