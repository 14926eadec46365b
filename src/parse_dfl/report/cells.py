"""Collect every method's accuracies in one comparison and scope (a cell), and rank over cells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from parse_dfl.records import NO_ROLES, Roles
from parse_dfl.report.collection import Collection, Record, labelled
from parse_dfl.report.formatting import counted, listed
from parse_dfl.report.load import MEAN, Comparison, Run
from parse_dfl.report.statistics import gap_closed, interval, mean_ranks

KINDS = (MEAN, "unimodal", "multimodal")
MOST_NAMED = 6
"""Cells that a sentence names; of more it says how many."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """Every method's accuracies, in the order of its ``seeds``, in one comparison and scope.

    ``comparison`` is its label; ``scope`` a modality set, or :data:`MEAN` for all agents.
    """

    comparison: str
    scope: str
    values: Mapping[str, tuple[float, ...]]
    seeds: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    diverged: tuple[str, ...] = ()
    roles: Roles = NO_ROLES

    @property
    def name(self) -> str:
        """The comparison, and the scope where it is not all agents."""
        return self.comparison if self.scope == MEAN else f"{self.comparison} ({self.scope})"

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
        return sorted(filter(self.roles.is_rival, means), key=lambda name: -means[name])

    @property
    def competing(self) -> set[str]:
        """The methods that have a rank."""
        return set(filter(self.roles.competes, self.values))

    def paired(self, one: str, other: str) -> tuple[list[float], list[float]]:
        """Return two methods' values for the seeds that both have, in the same order."""
        first, second = (
            dict(zip(self.seeds.get(name, range(len(values))), values, strict=False))
            for name, values in ((name, self.values[name]) for name in (one, other))
        )
        common = [seed for seed in first if seed in second]
        return [first[seed] for seed in common], [second[seed] for seed in common]

    def gap_closed(self, method: str) -> float | None:
        """Return it for the means over seeds; None without the bounds, or if they are close."""
        means, lower, upper = self.means, self.roles.lower, self.roles.upper
        if method not in means or lower not in means or upper not in means:
            return None
        return gap_closed(means[method], lower=means[lower], upper=means[upper])


def cells_of(record: Comparison | Collection) -> list[Cell]:
    """Return every cell: comparison by comparison the mean, then each modality set.

    Methods that have diverged are named; their values are no values.
    """
    return [cell for label, comparison in labelled(record) for cell in _cells(label, comparison)]


def _cells(label: str, comparison: Comparison) -> Iterator[Cell]:
    methods = comparison.converged.methods
    for scope in (MEAN, *comparison.converged.groups):
        values = {
            name: result.mean_accuracy if scope == MEAN else result.groups.get(scope, ())
            for name, result in methods.items()
        }
        yield Cell(
            comparison=label,
            scope=scope,
            values={name: accuracies for name, accuracies in values.items() if accuracies},
            seeds={name: result.seeds for name, result in methods.items()},
            diverged=comparison.diverged,
            roles=comparison.roles,
        )


def of_kind(cells: Sequence[Cell], kind: str) -> list[Cell]:
    """Return the cells of one family."""
    return [cell for cell in cells if cell.kind == kind]


def ranked(comparison: Comparison) -> list[str]:
    """Return the methods that compete and converged, the highest mean accuracy first."""
    means = {
        name: interval(result.mean_accuracy).mean
        for name, result in comparison.converged.methods.items()
        if comparison.roles.is_ranked(name)
    }
    return sorted(means, key=lambda name: -means[name])


def converged_record(record: Record) -> Record | None:
    """Return what of a record can be drawn; None where everything has diverged."""
    match record:
        case Run(summary=summary):
            return None if summary and summary.diverged else record
        case Comparison():
            return record.converged if record.converged.methods else None
        case Collection():
            return record.converged if record.converged.comparisons else None


def diverged_sentences(record: Record) -> list[str]:
    """Say which methods have diverged, and where; of a run its headline says so."""
    if isinstance(record, Run):
        return []
    sentences = []
    for comparison in (record,) if isinstance(record, Comparison) else record.comparisons:
        name = "" if comparison is record else f"{comparison.name}: "
        for method in comparison.diverged:
            since = sorted(comparison.methods[method].diverged.items())
            seeds = "; ".join(f"seed {seed}: {lost.sentence}" for seed, lost in since)
            sentences.append(
                f"{name}{method} diverged and is neither ranked nor compared ({seeds}); a lower "
                "learning rate may help"
            )
    return sentences


@dataclass(frozen=True, kw_only=True)
class Presence:
    """In how many cells a method is, and in how many of these nobody who competes is above it."""

    cells: int
    leads: int


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """The mean ranks, 1 for the best, of methods that all stand in each of some cells.

    ``cells`` and ``left_out`` name the cells ranked over and the others; ``unranked`` are the
    competing methods without a rank.
    """

    ranks: Mapping[str, float]
    cells: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    unranked: Mapping[str, Presence] = field(default_factory=dict)

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
        """What the ranks are over, and everything that they leave out."""
        if not self.ranks:
            text = "No mean rank: no cell, or only one method in each, has all that compete."
        else:
            text = f"The mean rank is among {listed(list(self.ranks))}, over {self.over}."
        if self.left_out:
            few = len(self.left_out) <= MOST_NAMED
            names = listed(list(self.left_out)) if few else counted(len(self.left_out), "cell")
            text += f" Not ranked over, for want of a method: {names}."
        for name, presence in self.unranked.items():
            text += (
                f" {name} has no rank: it is in {presence.cells} of "
                f"{counted(self.all_cells, 'cell')}, with the highest mean in {presence.leads}."
            )
        return text


def rankings(cells: Sequence[Cell]) -> list[Ranking]:
    """Return one or two rankings of the methods that compete; equals share a rank.

    First that of all methods, over the cells that have all of them; then that of the methods
    that all cells have, over all cells.  Cells in which fewer than two compete rank nobody.
    Where neither exists, one without ranks that says what is left out; none without cells.
    """
    contested = [cell for cell in cells if len(cell.competing) > 1]
    everyone = set().union(*(cell.competing for cell in cells))
    if not everyone:
        return []
    complete = [cell for cell in contested if cell.competing == everyone]
    common = set.intersection(*(cell.competing for cell in contested)) if contested else set()
    made = []
    if complete:
        made.append(_ranking(cells, complete, everyone))
    if len(common) > 1 and len(complete) < len(contested):
        made.append(_ranking(cells, contested, common))
    return made or [_ranking(cells, [], set())]


def first_ranks(cells: Sequence[Cell]) -> dict[str, float]:
    """Return the mean ranks of the first of :func:`rankings`."""
    return dict(next((ranking.ranks for ranking in rankings(cells)), {}))


def _ranking(cells: Sequence[Cell], over: Sequence[Cell], methods: set[str]) -> Ranking:
    chosen = set(map(id, over))
    others = set().union(*(cell.competing for cell in cells)) - methods
    return Ranking(
        ranks=mean_ranks([cell.means for cell in over], sorted(methods)),
        cells=tuple(cell.name for cell in over),
        left_out=tuple(cell.name for cell in cells if id(cell) not in chosen),
        unranked={name: _presence(cells, name) for name in sorted(others)},
    )


def _presence(cells: Sequence[Cell], method: str) -> Presence:
    present = [cell for cell in cells if method in cell.values]
    leads = [
        cell
        for cell in present
        if cell.means[method] == max(cell.means[name] for name in cell.competing)
    ]
    return Presence(cells=len(present), leads=len(leads))
