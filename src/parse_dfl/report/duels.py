"""PARSE against its best rival in every cell, and what may be said of it after correction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from parse_dfl.report.standings import KINDS, MEAN, Standing
from parse_dfl.report.statistics import (
    OURS,
    SIGNIFICANCE,
    Interval,
    holm,
    interval,
    paired_p,
)

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
