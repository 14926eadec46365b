"""The table of a folder of comparisons."""

from __future__ import annotations

from collections.abc import Callable

from parse_dfl.report.grid import MISSING, Cell, Grid, accuracy_column, plain
from parse_dfl.report.labels import labels_of
from parse_dfl.report.ranking import mean_ranks
from parse_dfl.report.records import Collection, Comparison
from parse_dfl.report.standings import MEAN, of_kind, standings_of
from parse_dfl.report.statistics import UPPER_BOUND, Interval, interval


def collection_grid(collection: Collection) -> Grid:
    """A row per method, a column per comparison: mean accuracy with its interval; mean rank."""
    names = methods_of(collection)
    columns = [
        accuracy_column(names, _mean_accuracy(comparison)) for comparison in collection.comparisons
    ]
    ranks = mean_ranks(of_kind(standings_of(collection), MEAN))
    lowest = min(ranks.values(), default=0.0)
    ranks_column = [
        Cell(text=f"{ranks[name]:.2f}", best=ranks[name] == lowest)
        if name in ranks
        else Cell(text=MISSING)
        for name in names
    ]
    return Grid(
        title="Mean accuracy in percent",
        header=("method", *labels_of(collection), "mean rank"),
        rows=tuple(zip(plain(names), *columns, ranks_column, strict=True)),
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


def _mean_accuracy(comparison: Comparison) -> Callable[[str], Interval | None]:
    def accuracy(name: str) -> Interval | None:
        result = comparison.methods.get(name)
        return interval(result.mean_accuracy) if result else None

    return accuracy
