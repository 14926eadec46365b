"""Test the subject against its rivals in pairs, and sum the tests up in a headline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from parse_dfl.report.cells import KINDS, Cell, cells_of, of_kind, ranked, rankings
from parse_dfl.report.collection import Collection, Record
from parse_dfl.report.formatting import counted, percent, percent_interval, points_interval
from parse_dfl.report.load import MEAN, Comparison, Run
from parse_dfl.report.statistics import (
    SIGNIFICANCE,
    Interval,
    holm,
    interval,
    paired_difference,
    paired_p,
)

OUTCOMES = ("win", "tie", "loss", "untested")


@dataclass(frozen=True, kw_only=True)
class PairwiseTest:
    """The subject minus one rival in one cell, paired by seed.

    ``p`` is that of the paired t-test, ``p_holm`` the same after Holm's correction over all
    cells of the cell's kind; both None where one seed allows no test.
    """

    cell: Cell
    subject: str
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


def pairwise_with_best(cells: Sequence[Cell]) -> list[PairwiseTest]:
    """Test the subject, in each cell that has it, against the rival of the highest mean there.

    Where the two share no seed there is no test; :func:`unpaired` says where.

    That rival is picked by the same numbers that it is compared on, which favours it: the best
    of several is partly so by luck.
    """
    return _corrected(_pairs(cells, most=1))


def pairwise_with_all(cells: Sequence[Cell]) -> list[PairwiseTest]:
    """Test the subject against every rival, corrected over all cells and rivals of a kind.

    The best rival by its mean need not be the one that is most surely ahead.
    """
    return _corrected(_pairs(cells))


def unpaired(cells: Sequence[Cell]) -> list[str]:
    """Say where the subject and its best rival share no seed, so that there is no difference."""
    return [
        f"{cell.comparison}: {subject} and its best rival {rival} share no seed"
        for cell, subject, rival in _pairs(of_kind(cells, MEAN), most=1)
        if not cell.paired(subject, rival)[0]
    ]


def tally(tests: Sequence[PairwiseTest], *, corrected: bool = True) -> dict[str, int]:
    """Count the tests that were won, tied, lost, or could not be made."""
    outcomes = [test.outcome if corrected else test.outcome_uncorrected for test in tests]
    return {outcome: outcomes.count(outcome) for outcome in OUTCOMES}


def pairwise_of_kind(tests: Sequence[PairwiseTest], kind: str) -> list[PairwiseTest]:
    """Return the tests of one family."""
    return [test for test in tests if test.cell.kind == kind]


def _pairs(cells: Sequence[Cell], most: int | None = None) -> list[tuple[Cell, str, str]]:
    """Return cell, subject and rival, the ``most`` best rivals of each cell."""
    return [
        (cell, subject, rival)
        for cell in cells
        if (subject := cell.roles.subject) is not None and subject in cell.values
        for rival in cell.rivals[:most]
    ]


def _corrected(pairs: Sequence[tuple[Cell, str, str]]) -> list[PairwiseTest]:
    """Test each pair, in their order; each kind of cell is a family of tests."""
    pairs = [pair for pair in pairs if pair[0].paired(*pair[1:])[0]]
    p_values = [paired_p(*cell.paired(subject, rival)) for cell, subject, rival in pairs]
    corrected: dict[int, float] = {}
    for kind in KINDS:
        family = {
            index: p
            for index, ((cell, _, _), p) in enumerate(zip(pairs, p_values, strict=True))
            if cell.kind == kind and p is not None
        }
        corrected |= zip(family, holm(list(family.values())), strict=True)
    tests = []
    for index, (cell, subject, rival) in enumerate(pairs):
        difference = paired_difference(*cell.paired(subject, rival))
        assert difference is not None, "pairs without a common seed are left out above"
        tests.append(
            PairwiseTest(
                cell=cell,
                subject=subject,
                rival=rival,
                difference=difference,
                p=p_values[index],
                p_holm=corrected.get(index),
            )
        )
    return tests


def pair_sentence(comparison: Comparison, one: str, other: str) -> str:
    """Say what follows from the difference of two methods' mean accuracies, paired by seed."""
    difference = paired_difference(*cells_of(comparison)[0].paired(one, other))
    if difference is None:
        return f"{one} and {other} share no seed, so their difference cannot be told."
    text = (
        f"{one} against {other}, paired over {counted(difference.count, 'seed')}: "
        f"{points_interval(difference)}"
    )
    if difference.half is None:
        return f"{text}; one seed gives no interval, so nothing follows from it."
    if difference.is_above_zero:
        return f"{text}: ahead."
    if difference.is_below_zero:
        return f"{text}: behind."
    return f"{text}: the interval holds zero, so the two cannot be told apart."


def best_rival_sentence(comparison: Comparison) -> str | None:
    """Hold the subject against its best rival; None without either."""
    subject = comparison.roles.subject
    if subject in comparison.diverged:
        return f"{subject} diverged, so nothing can be said of it."
    rivals = [name for name in ranked(comparison) if comparison.roles.is_rival(name)]
    if subject is None or subject not in comparison.methods or not rivals:
        return None
    return pair_sentence(comparison, subject, rivals[0])


def best_sentence(comparison: Comparison) -> str:
    """Name the best method, and say whether it can be told from the runner-up."""
    order = ranked(comparison)
    if not order:
        if comparison.diverged:
            return "Every method diverged, so there is nothing to compare."
        return f"Only {comparison.roles.upper} was run, so there is nothing to compare."
    accuracy = percent_interval(interval(comparison.methods[order[0]].mean_accuracy))
    text = f"{order[0]} has the highest mean accuracy, {accuracy} %."
    return f"{text} {pair_sentence(comparison, *order[:2])}" if len(order) > 1 else text


def headline(record: Record) -> str | None:
    """Say in one or two sentences what came out; None where there is nothing to say yet."""
    match record:
        case Run(summary=None):
            return None
        case Run(summary=summary):
            assert summary
            if summary.diverged:
                return f"Diverged, so the numbers mean nothing: {summary.diverged.sentence}."
            return (
                f"{percent(summary.mean_accuracy)} % mean accuracy over all agents after "
                f"{summary.rounds} rounds."
            )
        case Comparison():
            return best_rival_sentence(record) or best_sentence(record)
        case Collection():
            return _collection_headline(record)


def _collection_headline(collection: Collection) -> str | None:
    means, subject = of_kind(cells_of(collection), MEAN), collection.roles.subject
    tests = pairwise_with_best(means)
    ranking = next(iter(rankings(means)), None)
    if not tests:
        missing = [f"No cell holds {subject} and a rival that share a seed."] if subject else []
        return " ".join([*missing, ranking.sentences] if ranking else missing) or None
    counts, raw = tally(tests), tally(tests, corrected=False)
    difference = interval([test.difference.mean for test in tests])
    cells = counted(len(means), "cell")
    over = cells if len(tests) == len(means) else f"{len(tests)} of {cells}"
    text = (
        f"Over {over} {subject} differs from the best rival of each by "
        f"{points_interval(difference)} on average: {counted(counts['win'], 'win')}, "
        f"{counted(counts['tie'], 'tie')} and {counted(counts['loss'], 'loss', 'losses')} after "
        f"Holm's correction ({raw['win']}, {raw['tie']} and {raw['loss']} before it)."
    )
    if counts["untested"]:
        text += f" {counts['untested']} could not be tested: one seed in common."
    if ranking is None:
        return text
    if subject is not None and subject in ranking.ranks:
        text += f" Its mean rank is {ranking.ranks[subject]:.2f} of {len(ranking.ranks)}."
    return f"{text} {ranking.sentences}" if ranking.is_partial else text
