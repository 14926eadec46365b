"""The tables of one run."""

from __future__ import annotations

from parse_dfl.report.grid import MISSING, Cell, Grid
from parse_dfl.report.records import Collection, Run, Summary, ordered_groups
from parse_dfl.report.units import duration, file_size, percent


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
