"""Run what a matrix still lacks; write each result, and the log of the runs on test data."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from parse_dfl import __version__
from studies.accuracy.recipe import HERE, Matrix, TopologySpec
from studies.accuracy.results import add, is_done
from studies.accuracy.work import Job, cores, do_all
from studies.provenance import provenance

LOG = HERE / "LOG.md"


def run(
    recipe: TopologySpec, name: str, results: Path, *, sets: Sequence[str] = (), processes: int = 0
) -> None:
    """Run the units of a matrix that have no result yet, each written when it is finished.

    A stop loses the units under way and nothing else; start it again to go on.
    """
    matrix, processes = recipe.matrix(name, sets), processes or cores()
    jobs = missing_jobs(recipe, matrix, results)
    print(f"{name}: {len(jobs)} units to run, {processes} at a time", flush=True)
    begin, done = time.monotonic(), 0
    try:
        for job, made in do_all(jobs, processes):
            add(results, job.unit, made, provenance(processes=processes, threads=1))
            done += 1
            ((method, entry),) = made["methods"].items()
            accuracy = 100 * entry["mean_accuracy"]["mean"]
            print(
                f"[{done}/{len(jobs)}] {job.unit.cell.folder} {method} {job.unit.seeds}: "
                f"{accuracy:.1f} %, {entry['seconds']:.0f} s",
                flush=True,
            )
    finally:
        if done and matrix.evaluate_on == "test":
            _log(name, matrix, done, len(jobs), time.monotonic() - begin, processes)


def missing_jobs(recipe: TopologySpec, matrix: Matrix, results: Path) -> list[Job]:
    """Return the work that has no result yet, in its order."""
    return [
        Job(
            unit,
            recipe.configuration(
                unit.cell,
                unit.method,
                training=matrix.training,
                evaluate_on=matrix.evaluate_on,
                settings=recipe.chosen(unit.method, matrix.chosen),
            ),
        )
        for unit in matrix.units()
        if not is_done(results, unit)
    ]


def _log(name: str, matrix: Matrix, done: int, asked: int, seconds: float, processes: int) -> None:
    """Log a line per run on test data: the matrix is to run once per version."""
    if not LOG.exists():
        LOG.write_text(
            "# Every run on test data\n\n| ended (UTC) | version | matrix | sets | units done | "
            "minutes | processes |\n|---|---|---|---|---|---|---|\n",
            encoding="utf-8",
        )
    sets = ", ".join(dict.fromkeys(cell.name for cell in matrix.cells))
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
    with LOG.open("a", encoding="utf-8") as file:
        file.write(
            f"| {now} | {__version__} | {name} | {sets} | {done} of {asked} | {seconds / 60:.0f} | "
            f"{processes} |\n"
        )
