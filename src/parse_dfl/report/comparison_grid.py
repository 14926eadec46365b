"""The table of a comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from parse_dfl.report.diverged import converged, sentences
from parse_dfl.report.grid import MISSING, Cell, Grid, accuracy_column, plain
from parse_dfl.report.ranking import best_rival_sentence, ranked
from parse_dfl.report.records import Comparison
from parse_dfl.report.statistics import (
    SMALLEST_GAP,
    UPPER_BOUND,
    Interval,
    gap_closed,
    interval,
)
from parse_dfl.report.units import duration, file_size, seeds


def comparison_grid(comparison: Comparison) -> Grid:
    """A row per method: accuracy per group and mean with intervals, gap closed, cost."""
    order = ranked(comparison)
    names = [*order, *(name for name in comparison.methods if name not in order)]
    accuracies = [
        *(
            accuracy_column(names, _group_accuracy(comparison, group))
            for group in comparison.groups
        ),
        accuracy_column(names, _mean_accuracy(comparison)),
    ]
    accuracies = [_marked(names, column, comparison) for column in accuracies]
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


def _marked(names: Sequence[str], column: list[Cell], comparison: Comparison) -> list[Cell]:
    """A column whose cells of methods that diverged say so in place of a number."""
    return [
        Cell(text="diverged") if name in comparison.diverged else cell
        for name, cell in zip(names, column, strict=True)
    ]


def _mean_accuracy(comparison: Comparison) -> Callable[[str], Interval | None]:
    def accuracy(name: str) -> Interval | None:
        result = comparison.methods[name]
        return None if result.diverged else interval(result.mean_accuracy)

    return accuracy


def _group_accuracy(comparison: Comparison, group: str) -> Callable[[str], Interval | None]:
    def accuracy(name: str) -> Interval | None:
        result = comparison.methods[name]
        values = result.groups.get(group)
        return interval(values) if values and not result.diverged else None

    return accuracy


def _gaps_closed(comparison: Comparison, names: Sequence[str]) -> list[Cell]:
    results = converged(comparison).methods
    means = {name: interval(result.mean_accuracy).mean for name, result in results.items()}
    if "local" not in means or UPPER_BOUND not in means:
        return []
    local, oracle = means["local"], means[UPPER_BOUND]
    closed = {name: gap_closed(mean, local=local, oracle=oracle) for name, mean in means.items()}
    if None in closed.values():
        return []
    return plain([f"{closed[name]:.2f}" if name in closed else MISSING for name in names])


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
    notes += [f"{text}." for text in sentences(comparison)]
    unfinished = [
        f"{name}/{run.directory.name}"
        for name, runs in comparison.runs.items()
        for run in runs
        if run.summary is None
    ]
    if unfinished:
        notes.append(f"Unfinished: {', '.join(unfinished)}.")
    return tuple(notes)
