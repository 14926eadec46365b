"""The table of a comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from parse_dfl.report.grid import Cell, Grid, accuracy_column, plain
from parse_dfl.report.ranking import best_rival_sentence, ranked
from parse_dfl.report.records import Comparison
from parse_dfl.report.statistics import (
    SMALLEST_GAP,
    UPPER_BOUND,
    Interval,
    gap_closed,
    interval,
    is_ranked,
)
from parse_dfl.report.units import duration, file_size, seeds


def comparison_grid(comparison: Comparison) -> Grid:
    """A row per method: accuracy per group and mean with intervals, gap closed, cost."""
    names = [*ranked(comparison), *(name for name in comparison.methods if not is_ranked(name))]
    accuracies = [
        *(
            accuracy_column(names, _group_accuracy(comparison, group))
            for group in comparison.groups
        ),
        accuracy_column(names, lambda name: interval(comparison.methods[name].mean_accuracy)),
    ]
    gaps = _gaps_closed(comparison, names)
    results = [comparison.methods[name] for name in names]
    costs = [
        plain([file_size(result.payload_bytes_per_link) for result in results]),
        plain([duration(result.seconds) for result in results]),
    ]
    columns = [plain(names), *accuracies, *([gaps] if gaps else []), *costs]
    header = ["method", *comparison.groups, "mean", *(["gap closed"] if gaps else [])]
    return Grid(
        title=f"Accuracy in percent on {comparison.data}",
        header=(*header, "bytes/link", "time"),
        rows=tuple(zip(*columns, strict=True)),
        notes=_comparison_notes(comparison, has_gaps=bool(gaps)),
    )


def _group_accuracy(comparison: Comparison, group: str) -> Callable[[str], Interval | None]:
    def accuracy(name: str) -> Interval | None:
        values = comparison.methods[name].groups.get(group)
        return interval(values) if values else None

    return accuracy


def _gaps_closed(comparison: Comparison, names: Sequence[str]) -> list[Cell]:
    means = {name: interval(comparison.methods[name].mean_accuracy).mean for name in names}
    if "local" not in means or UPPER_BOUND not in means:
        return []
    closed = [
        gap_closed(means[name], local=means["local"], oracle=means[UPPER_BOUND]) for name in names
    ]
    found = [value for value in closed if value is not None]
    return plain([f"{value:.2f}" for value in found])


def _comparison_notes(comparison: Comparison, *, has_gaps: bool) -> tuple[str, ...]:
    counts = sorted({len(result.mean_accuracy) for result in comparison.methods.values()})
    told = seeds(counts[-1]) if len(counts) == 1 else f"{counts[0]} to {seeds(counts[-1])}"
    notes = [
        f"± is half the 95 % interval over {told} (Student's t)."
        if counts[-1] > 1
        else "One seed: no intervals."
    ]
    if has_gaps:
        notes.append("Gap closed: 0 is local training, 1 the oracle, which sees all samples.")
    elif "local" in comparison.methods and UPPER_BOUND in comparison.methods:
        least = f"{100 * SMALLEST_GAP:.0f} points"
        notes.append(f"No gap closed: the oracle is less than {least} above local training.")
    against_rival = best_rival_sentence(comparison)
    if against_rival:
        notes.append(against_rival)
    unfinished = [
        f"{name}/{run.directory.name}"
        for name, runs in comparison.runs.items()
        for run in runs
        if run.summary is None
    ]
    if unfinished:
        notes.append(f"Unfinished: {', '.join(unfinished)}.")
    return tuple(notes)
