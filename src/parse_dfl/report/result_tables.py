"""The tables of a run, of a comparison, and of a folder of comparisons."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from parse_dfl.report.ablation_axes import differing
from parse_dfl.report.cells import (
    MEAN,
    Standing,
    best_rival_sentence,
    of_kind,
    ranked,
    standings_of,
)
from parse_dfl.report.diverged import converged, sentences
from parse_dfl.report.formatting import (
    duration,
    file_size,
    listed,
    percent,
    percent_interval,
    seeds,
)
from parse_dfl.report.load import labels_of
from parse_dfl.report.rankings import Ranking, mean_ranks, rankings
from parse_dfl.report.records import Collection, Comparison, Run, Summary, ordered_groups
from parse_dfl.report.statistics import (
    SMALLEST_GAP,
    UPPER_BOUND,
    Interval,
    gap_closed,
    interval,
    is_ranked,
)
from parse_dfl.report.table import MISSING, Cell, Grid, accuracy_column, plain


def run_grid(summary: Summary) -> Grid:
    """A row per modality set of one run, and the mean over all agents."""
    rows = [
        (
            group,
            str(result.agents),
            f"{result.parameters:,}",
            percent(result.accuracy),
            percent(result.macro_f1),
            percent(result.local_accuracy),
        )
        for group, result in (
            (name, summary.groups[name]) for name in ordered_groups(summary.groups)
        )
    ]
    agents = sum(result.agents for result in summary.groups.values())
    rows.append(("all agents", str(agents), "", percent(summary.mean_accuracy), "", ""))
    stages = ", ".join(f"{name} {duration(t)}" for name, t in summary.seconds_per_round.items())
    return Grid(
        title=f"{summary.method} on {summary.data}, seed {summary.seed}, in percent"
        + (" (diverged)" if summary.diverged else ""),
        header=("modality set", "agents", "parameters", "accuracy", "macro F1", "local accuracy"),
        rows=tuple(tuple(Cell(text=text) for text in row) for row in rows),
        notes=(
            *([f"Diverged: {summary.diverged.sentence}."] if summary.diverged else []),
            f"{summary.rounds} rounds in {duration(summary.wall_seconds)} (per round: {stages}).",
            f"Payload {file_size(summary.payload_bytes_per_link)} per link, "
            f"{file_size(summary.payload_bytes_per_round)} per round; "
            f"peak memory {file_size(summary.peak_memory_bytes)}.",
            "Local accuracy weighs test samples by the agent's own label frequencies.",
        ),
    )


def run_status(run: Run) -> Grid:
    """:func:`run_grid`, or how far an unfinished run has come."""
    if run.summary:
        return run_grid(run.summary)
    latest = {line.group: line for line in run.history}
    rows = [
        (group, str(latest[group].round), percent(latest[group].accuracy))
        for group in ordered_groups(latest)
    ]
    return Grid(
        title=f"{run.name}: unfinished",
        header=("modality set", "last evaluated round", "accuracy so far"),
        rows=tuple(tuple(Cell(text=text) for text in row) for row in rows),
        notes=("No summary yet: the run is still going, or was stopped; carry on with --resume.",),
    )


def agents_grid(run: Run) -> Grid | None:
    """A row per agent of a finished run."""
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
    return Grid(
        title="Every agent, in percent",
        header=("agent", "modality set", "samples", "accuracy", "macro F1", "local accuracy"),
        rows=tuple(tuple(Cell(text=text) for text in row) for row in rows),
        folded=True,
    )


def unfinished_grid(collection: Collection) -> Grid | None:
    """A row per unfinished run of a folder, and how far it has come."""
    rows = []
    for run in collection.unfinished:
        latest = {line.group: line for line in run.history}
        last = max((line.round for line in run.history), default=None)
        reached = ", ".join(f"{g} {percent(latest[g].accuracy)}" for g in ordered_groups(latest))
        rows.append((run.name, MISSING if last is None else str(last), reached or MISSING))
    if not rows:
        return None
    return Grid(
        title="Unfinished runs",
        header=("folder", "last evaluated round", "accuracy so far, in percent"),
        rows=tuple(tuple(Cell(text=text) for text in row) for row in rows),
        notes=("They take no part in any comparison; carry on with --resume.",),
    )


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
