"""The table of a folder of comparisons."""

from __future__ import annotations

from collections.abc import Iterator

from parse_dfl.report.grid import MISSING, Cell, Grid
from parse_dfl.report.labels import labels_of
from parse_dfl.report.rankings import Ranking, mean_ranks, rankings
from parse_dfl.report.records import Collection
from parse_dfl.report.standings import MEAN, Standing, of_kind, standings_of
from parse_dfl.report.statistics import UPPER_BOUND, interval, is_ranked
from parse_dfl.report.units import listed, percent_interval
from parse_dfl.report.variations import differing


def collection_grid(collection: Collection) -> Grid:
    """A row per comparison, a column per method: mean accuracy with its interval; mean rank."""
    names = methods_of(collection)
    standings = of_kind(standings_of(collection), MEAN)
    ranked = [one for one in rankings(standings) if one.ranks]
    labels = labels_of(collection)
    return Grid(
        title="Mean accuracy in percent",
        header=("", *names),
        rows=(
            *(
                (Cell(text=label), *_row(standing, names))
                for label, standing in zip(labels, standings, strict=True)
            ),
            *(_rank_row(one, names) for one in ranked),
        ),
        notes=tuple(_notes(collection, standings)),
    )


def _rank_row(ranking: Ranking, names: list[str]) -> tuple[Cell, ...]:
    ranks = ranking.ranks
    return (
        Cell(text=f"mean rank, {ranking.over}"),
        *(
            Cell(text=f"{ranks[name]:.2f}", best=ranks[name] == min(ranks.values()))
            if name in ranks
            else Cell(text=MISSING)
            for name in names
        ),
    )


def _notes(collection: Collection, standings: list[Standing]) -> Iterator[str]:
    counts = {len(values) for each in standings for values in each.values.values()}
    if counts != {1}:
        yield "± is half the 95 % interval over seeds (Student's t)."
    if 1 in counts:
        yield "Numbers without ± are of one seed, which gives no interval."
    yield "A dash: the cell does not hold the method."
    if any(one.is_gathered for one in collection.comparisons):
        yield "Single runs that differ in nothing but method and seed make a cell of their own."
    settings = differing(collection)
    if settings:
        yield f"Cells differ in {listed(settings)}; the configurations stand at the end."
    for ranking in rankings(standings):
        yield ranking.sentences
    yield "The oracle and the controls and variants of PARSE's network are not ranked."


def methods_of(collection: Collection) -> list[str]:
    """Every method, the best mean rank first, then those without a rank, the oracle last."""
    ranks = mean_ranks(of_kind(standings_of(collection), MEAN))
    names = {name for comparison in collection.comparisons for name in comparison.methods}
    last = float(len(names) + 1)
    return sorted(names, key=lambda name: (name == UPPER_BOUND, ranks.get(name, last), name))


def _row(standing: Standing, names: list[str]) -> list[Cell]:
    """One comparison's accuracies, the highest of several marked; the oracle does not compete."""
    means = standing.means
    ranked = [mean for name, mean in means.items() if is_ranked(name)]
    best = max(ranked) if len(ranked) > 1 else None
    return [
        Cell(
            text=percent_interval(interval(standing.values[name])),
            best=is_ranked(name) and means[name] == best,
        )
        if name in means
        else Cell(text="diverged" if name in standing.diverged else MISSING)
        for name in names
    ]
