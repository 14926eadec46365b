"""Tabulate the results of a run, of a comparison, and of a folder of comparisons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from parse_dfl.records import GroupResult, Summary
from parse_dfl.report.ablation_axes import differing
from parse_dfl.report.cells import (
    Cell,
    Ranking,
    cells_of,
    diverged_sentences,
    first_ranks,
    of_kind,
    ranked,
    rankings,
)
from parse_dfl.report.collection import Collection
from parse_dfl.report.formatting import (
    MISSING,
    Entry,
    Table,
    accuracy_entries,
    counted,
    duration,
    entries,
    file_size,
    listed,
    percent,
)
from parse_dfl.report.load import MEAN, Comparison, Run, ordered_groups
from parse_dfl.report.pairwise import best_rival_sentence
from parse_dfl.report.statistics import SMALLEST_GAP, Interval, interval

SCORES = ("accuracy", "macro F1", "local accuracy")


def run_table(summary: Summary) -> Table:
    """Return a row per modality set of one run, and the mean over all agents."""
    rows = [
        (group, str(result.agents), f"{result.parameters:,}", *_scores(result))
        for group, result in (
            (name, summary.groups[name]) for name in ordered_groups(summary.groups)
        )
    ]
    agents = sum(result.agents for result in summary.groups.values())
    rows.append(("all agents", str(agents), "", percent(summary.mean_accuracy), "", ""))
    stages = ", ".join(f"{name} {duration(t)}" for name, t in summary.seconds_per_round.items())
    diverged = summary.diverged
    return Table(
        title=f"{summary.method} on {summary.data}, seed {summary.seed}, in percent"
        + (" (diverged)" if diverged else ""),
        header=("modality set", "agents", "parameters", *SCORES),
        rows=tuple(map(entries, rows)),
        notes=(
            *([f"Diverged: {diverged.sentence}."] if diverged else []),
            f"{summary.rounds} rounds in {duration(summary.wall_seconds)} (per round: {stages}).",
            f"Payload {file_size(summary.payload_bytes_per_link.mean)} per link, "
            f"{file_size(summary.payload_bytes_per_round)} per round; "
            f"peak memory {file_size(summary.peak_memory_bytes)}.",
            "Local accuracy weighs test samples by the agent's own label frequencies.",
        ),
    )


def _scores(result: GroupResult) -> tuple[str, str, str]:
    return percent(result.accuracy), percent(result.macro_f1), percent(result.local_accuracy)


def status_table(run: Run) -> Table:
    """Return :func:`run_table`, or how far an unfinished run has come."""
    if run.summary:
        return run_table(run.summary)
    latest = {line.group: line for line in run.history}
    rows = [
        (group, str(latest[group].round), percent(latest[group].accuracy))
        for group in ordered_groups(latest)
    ]
    return Table(
        title=f"{run.name}: unfinished",
        header=("modality set", "last evaluated round", "accuracy so far"),
        rows=tuple(map(entries, rows)),
        notes=("No summary yet: the run is still going, or was stopped; carry on with --resume.",),
    )


def agents_table(run: Run) -> Table | None:
    """Return a row per agent of a finished run."""
    if not run.summary or not run.summary.agents:
        return None
    rows = [
        (
            agent.name,
            agent.group,
            str(agent.samples),
            percent(agent.accuracy),
            percent(agent.macro_f1),
            percent(agent.local_accuracy),
        )
        for agent in run.summary.agents
    ]
    return Table(
        title="Every agent, in percent",
        header=("agent", "modality set", "samples", *SCORES),
        rows=tuple(map(entries, rows)),
        folded=True,
    )


def unfinished_table(collection: Collection) -> Table | None:
    """Return a row per unfinished run of a folder, and how far it has come."""
    rows = []
    for run in collection.unfinished:
        latest = {line.group: line for line in run.history}
        last = max((line.round for line in run.history), default=None)
        so_far = ", ".join(f"{g} {percent(latest[g].accuracy)}" for g in ordered_groups(latest))
        rows.append((run.name, MISSING if last is None else str(last), so_far or MISSING))
    if not rows:
        return None
    return Table(
        title="Unfinished runs",
        header=("folder", "last evaluated round", "accuracy so far, in percent"),
        rows=tuple(map(entries, rows)),
        notes=("They take no part in any comparison; carry on with --resume.",),
    )


def comparison_table(comparison: Comparison) -> Table:
    """Return a row per method: accuracy per group and mean with intervals, gap closed, cost."""
    order = ranked(comparison)
    names = [*order, *(name for name in comparison.methods if name not in order)]
    mean, *others = cells_of(comparison)
    by_scope = {cell.scope: cell for cell in others}
    nothing = replace(mean, values={})
    gaps = {name: mean.gap_closed(name) for name in mean.values}
    has_gaps = bool(gaps) and None not in gaps.values()
    results = [comparison.methods[name] for name in names]
    columns = [
        entries(names),
        *(_accuracies(names, by_scope.get(group, nothing)) for group in comparison.groups),
        _accuracies(names, mean),
        entries(_gap(gaps.get(name)) for name in names),
        entries(file_size(result.payload_bytes_per_link) for result in results),
        entries(duration(result.seconds) for result in results),
    ]
    header = ["method", *comparison.groups, "mean", "gap closed", "bytes/link", "time"]
    if not has_gaps:
        del columns[-3], header[-3]
    return Table(
        title=f"Accuracy in percent on {comparison.data}",
        header=tuple(header),
        rows=tuple(zip(*columns, strict=True)),
        notes=tuple(_comparison_notes(comparison, has_gaps=has_gaps)),
    )


def _accuracies(names: Sequence[str], cell: Cell) -> tuple[Entry, ...]:
    """Return a column or row of a cell's accuracies; who diverged is named in place of numbers."""

    def accuracy(name: str) -> Interval | None:
        return interval(cell.values[name]) if name in cell.values else None

    return accuracy_entries(
        names,
        accuracy,
        cell.roles.is_ranked,
        missing=lambda name: "diverged" if name in cell.diverged else MISSING,
    )


def _gap(value: float | None) -> str:
    return MISSING if value is None else f"{value:.2f}"


def _comparison_notes(comparison: Comparison, *, has_gaps: bool) -> Iterator[str]:
    counts = sorted({len(result.mean_accuracy) for result in comparison.methods.values()})
    seeds = counted(counts[-1], "seed")
    seeds = seeds if len(counts) == 1 else f"{counts[0]} to {seeds}"
    yield (
        f"± is half the 95 % interval over {seeds} (Student's t)."
        if counts[-1] > 1
        else "One seed: no intervals."
    )
    lower, upper = comparison.roles.lower, comparison.roles.upper
    if has_gaps:
        yield f"Gap closed: 0 is {lower}, 1 is {upper}."
    elif lower in comparison.methods and upper in comparison.methods:
        least = f"{100 * SMALLEST_GAP:.0f} points"
        yield f"No gap closed: {upper} is less than {least} above {lower}."
    if against_rival := best_rival_sentence(comparison):
        yield against_rival
    yield from (f"{text}." for text in diverged_sentences(comparison))
    unfinished = [
        f"{name}/{run.directory.name}"
        for name, runs in comparison.runs.items()
        for run in runs
        if run.summary is None
    ]
    if unfinished:
        yield f"Unfinished: {', '.join(unfinished)}."


def collection_table(collection: Collection) -> Table:
    """Return a row per comparison, a column per method: mean accuracy and mean rank."""
    names = methods_of(collection)
    cells = of_kind(cells_of(collection), MEAN)
    ranked = [ranking for ranking in rankings(cells) if ranking.ranks]
    return Table(
        title="Mean accuracy in percent",
        header=("", *names),
        rows=(
            *((Entry(text=cell.comparison), *_row(names, cell)) for cell in cells),
            *(_rank_row(ranking, names) for ranking in ranked),
        ),
        notes=tuple(_collection_notes(collection, cells)),
    )


def _row(names: Sequence[str], cell: Cell) -> tuple[Entry, ...]:
    """Return a cell's accuracies; one that competes with nobody is not marked as the best."""
    row = _accuracies(names, cell)
    is_alone = sum(map(cell.roles.is_ranked, cell.values)) < 2
    return entries(entry.text for entry in row) if is_alone else row


def _rank_row(ranking: Ranking, names: Sequence[str]) -> tuple[Entry, ...]:
    ranks = ranking.ranks
    best = min(ranks.values())
    return (
        Entry(text=f"mean rank, {ranking.over}"),
        *(
            Entry(text=f"{ranks[name]:.2f}", best=ranks[name] == best)
            if name in ranks
            else Entry(text=MISSING)
            for name in names
        ),
    )


def _collection_notes(collection: Collection, cells: Sequence[Cell]) -> Iterator[str]:
    counts = {len(values) for cell in cells for values in cell.values.values()}
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
    for ranking in rankings(cells):
        yield ranking.sentences
    roles = collection.roles
    variants = [f"the controls and variants of {roles.subject}"] if roles.subject else []
    unranked = [*([roles.upper] if roles.upper else []), *variants]
    if unranked:
        yield f"Not ranked: {listed(unranked)}."


def methods_of(collection: Collection) -> list[str]:
    """Return every method, the best mean rank first, then those without, the upper bound last."""
    ranks = first_ranks(of_kind(cells_of(collection), MEAN))
    names = {name for comparison in collection.comparisons for name in comparison.methods}
    last = float(len(names) + 1)
    is_ranked = collection.roles.is_ranked
    return sorted(names, key=lambda name: (not is_ranked(name), ranks.get(name, last), name))
