"""Mean ranks over cells, with the cells that they are over and whom they leave out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.stats import rankdata

from parse_dfl.report.cells import MEAN, Standing
from parse_dfl.report.formatting import counted, listed
from parse_dfl.report.statistics import competes

MOST_NAMED = 6
"""Cells that a sentence names; of more it says how many."""


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """The mean ranks, 1 for the best, of methods that all stand in each of some cells.

    ``cells`` and ``left_out`` hold the cells ranked over and the others; ``unranked`` the
    competing methods without a rank, and in how many cells each is and leads.
    """

    ranks: Mapping[str, float]
    cells: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    unranked: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def all_cells(self) -> int:
        """How many cells there are, ranked over or not."""
        return len(self.cells) + len(self.left_out)

    @property
    def is_partial(self) -> bool:
        """Whether a cell or a competing method is left out."""
        return bool(self.left_out or self.unranked)

    @property
    def over(self) -> str:
        """``3 cells``, or ``2 of 3 cells``."""
        if not self.left_out:
            return counted(len(self.cells), "cell")
        return f"{len(self.cells)} of {counted(self.all_cells, 'cell')}"

    @property
    def sentences(self) -> str:
        """Whom and what the ranks are over, and everything that they leave out."""
        if not self.ranks:
            text = "No mean rank: no cell, or only one method in each, has all that compete."
        else:
            text = f"The mean rank is among {listed(list(self.ranks))}, over {self.over}."
        if self.left_out:
            few = len(self.left_out) <= MOST_NAMED
            told = listed(list(self.left_out)) if few else counted(len(self.left_out), "cell")
            text += f" Not ranked over, for want of a method: {told}."
        for name, (cells, leads) in self.unranked.items():
            text += (
                f" {name} has no rank: it is in {cells} of {counted(self.all_cells, 'cell')}, "
                f"with the highest mean in {leads}."
            )
        return text


def rankings(standings: Sequence[Standing]) -> list[Ranking]:
    """Return one or two rankings of PARSE and its rivals; equals share a rank.

    First that of all methods, over the cells that have all of them; then that of the methods
    that all cells have, over all cells.  Cells in which fewer than two compete rank nobody.
    Where neither exists, one without ranks that says who is left out; none without cells.
    """
    competing = {id(each): set(filter(competes, each.values)) for each in standings}
    contested = [each for each in standings if len(competing[id(each)]) > 1]
    everyone = set().union(*competing.values()) if standings else set()
    if not everyone:
        return []
    complete = [each for each in contested if competing[id(each)] == everyone]
    common = set.intersection(*(competing[id(each)] for each in contested)) if contested else set()
    found = []
    if complete:
        found.append(_ranking(standings, complete, everyone))
    if len(common) > 1 and (len(complete) < len(contested)):
        found.append(_ranking(standings, contested, common))
    return found or [_ranking(standings, [], set())]


def mean_ranks(standings: Sequence[Standing]) -> dict[str, float]:
    """The mean ranks of the first of :func:`rankings`."""
    found = rankings(standings)
    return dict(found[0].ranks) if found else {}


def _ranking(standings: Sequence[Standing], over: Sequence[Standing], methods: set[str]) -> Ranking:
    names = sorted(methods)
    ranks = [rankdata([-each.means[name] for name in names]) for each in over]
    means = np.mean(ranks, axis=0).tolist() if over else []
    chosen = set(map(id, over))
    others = {name for each in standings for name in each.values if competes(name)} - methods
    return Ranking(
        ranks=dict(zip(names, means, strict=True)) if over else {},
        cells=tuple(_name(each) for each in over),
        left_out=tuple(_name(each) for each in standings if id(each) not in chosen),
        unranked={name: _presence(standings, name) for name in sorted(others)},
    )


def _presence(standings: Sequence[Standing], method: str) -> tuple[int, int]:
    """In how many cells a method is, and in how many of these nobody who competes is above it."""
    own = [each.means for each in standings if method in each.values]
    leads = [
        means
        for means in own
        if means[method] == max(means[name] for name in filter(competes, means))
    ]
    return len(own), len(leads)


def _name(standing: Standing) -> str:
    if standing.scope == MEAN:
        return standing.comparison
    return f"{standing.comparison} ({standing.scope})"
