"""One unit of work, in a process of its own with one thread; and a pool of such processes."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

import torch

from parse_dfl.agents import AgentMix, key
from parse_dfl.config import RunConfig
from parse_dfl.runs.compare import compare
from studies.accuracy.recipe import Unit


@dataclass(frozen=True)
class Job:
    """A unit and how its method is run."""

    unit: Unit
    config: RunConfig


@dataclass
class Curve:
    """Accuracy over the rounds, as a listener hears it: the mean over seeds and agents."""

    agents: AgentMix
    points: dict[int, list[float]] = field(default_factory=dict)

    def start(self, label: str, rounds: int, first_round: int) -> None:
        """Do nothing."""

    def round(self, done: int, accuracy: Mapping[str, float] | None) -> None:
        """Keep what was measured."""
        if accuracy:
            counts = {key(modalities): count for modalities, count in self.agents.counts}
            total = sum(counts[group] * value for group, value in accuracy.items())
            self.points.setdefault(done, []).append(total / sum(counts.values()))

    def finish(self) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Tell a person."""
        print(text, flush=True)

    def rows(self) -> list[dict[str, float]]:
        """Return ``{"round", "mean_accuracy"}`` of every measured round."""
        return [
            {"round": done, "mean_accuracy": sum(values) / len(values)}
            for done, values in sorted(self.points.items())
        ]


def do(job: Job) -> dict[str, Any]:
    """Run the unit's one method; return a comparison with the curve in its entry."""
    assert job.config.agents is not None
    curve = Curve(job.config.agents)
    made = compare(job.config, [job.unit.method], job.unit.seeds, listener=curve)
    made["methods"][job.unit.method]["curve"] = curve.rows()
    options: dict[str, Any] = dict(job.config.method_options)
    options |= {"lr": job.config.training.lr, "rounds": job.config.training.rounds}
    return made | {"options": options}


def do_all(jobs: Sequence[Job], processes: int) -> Iterator[tuple[Job, dict[str, Any]]]:
    """Yield each job with what came of it, as they are finished."""
    if processes == 1:
        yield from ((job, do(job)) for job in jobs)
        return
    context = multiprocessing.get_context("spawn")
    left = iter(jobs)
    with ProcessPoolExecutor(processes, context, initializer=_one_thread) as pool:
        running: dict[Future[dict[str, Any]], Job] = {}
        try:
            while True:
                while len(running) < processes and (job := next(left, None)) is not None:
                    running[pool.submit(do, job)] = job
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(future), future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _one_thread() -> None:
    torch.set_num_threads(1)


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
