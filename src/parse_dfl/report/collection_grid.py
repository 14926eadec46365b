"""The table of a folder of comparisons."""

from __future__ import annotations

from parse_dfl.report.grid import MISSING, Cell, Grid
from parse_dfl.report.labels import labels_of
from parse_dfl.report.ranking import mean_ranks
from parse_dfl.report.records import Collection
from parse_dfl.report.standings import MEAN, Standing, of_kind, standings_of
from parse_dfl.report.statistics import UPPER_BOUND, interval, is_ranked
from parse_dfl.report.units import percent_interval


def collection_grid(collection: Collection) -> Grid:
    """A row per comparison, a column per method: mean accuracy with its interval; mean rank."""
    names = methods_of(collection)
    standings = of_kind(standings_of(collection), MEAN)
    ranks = mean_ranks(standings)
    rank_row = [
        Cell(text=f"{ranks[name]:.2f}", best=ranks[name] == min(ranks.values()))
        if name in ranks
        else Cell(text=MISSING)
        for name in names
    ]
    labels = labels_of(collection)
    return Grid(
        title="Mean accuracy in percent",
        header=("", *names),
        rows=(
            *(
                (Cell(text=label), *_row(standing, names))
                for label, standing in zip(labels, standings, strict=True)
            ),
            (Cell(text="mean rank"), *rank_row),
        ),
        notes=(
            "± is half the 95 % interval over seeds (Student's t).",
            "The mean rank is among PARSE and its rivals, over the comparisons; methods that miss "
            "one have none, nor have the oracle and the controls on PARSE's network.",
        ),
    )


def methods_of(collection: Collection) -> list[str]:
    """Every method, the best mean rank first, then those without a rank, the oracle last."""
    ranks = mean_ranks(of_kind(standings_of(collection), MEAN))
    names = {name for comparison in collection.comparisons for name in comparison.methods}
    last = float(len(names) + 1)
    return sorted(names, key=lambda name: (name == UPPER_BOUND, ranks.get(name, last), name))


def _row(standing: Standing, names: list[str]) -> list[Cell]:
    """One comparison's accuracies, the highest marked; the oracle does not compete."""
    means = standing.means
    best = max((mean for name, mean in means.items() if is_ranked(name)), default=None)
    return [
        Cell(
            text=percent_interval(interval(standing.values[name])),
            best=is_ranked(name) and means[name] == best,
        )
        if name in means
        else Cell(text="diverged" if name in standing.diverged else MISSING)
        for name in names
    ]
