"""Record a run while it trains: scores, traffic, divergence, time; its summaries at the end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from parse_dfl.engine.gossip import Payload
from parse_dfl.runs.callbacks import Listener
from parse_dfl.runs.divergence import DivergenceLog, note_of
from parse_dfl.runs.folder import append_jsonl, rewrite_jsonl, write_json
from parse_dfl.runs.results import (
    AgentScore,
    Facts,
    PayloadTotals,
    group_means,
    metric_rows,
    summary,
)
from parse_dfl.runs.setup import RunSetup

METRICS = "metrics.jsonl"
Summary = dict[str, Any]


class Recorder:
    """Writes the records of a run, or of several seeds side by side, whatever engine trains them.

    Args:
        setup: what is trained.
        folders: the folder of each seed's records; none to keep nothing.
        listener: told of every round and of agents that diverge.
        seeds: of the agents that train side by side.
    """

    def __init__(
        self,
        setup: RunSetup,
        folders: Mapping[int, Path],
        listener: Listener,
        seeds: Sequence[int],
    ) -> None:
        self._setup, self._folders, self._listener = setup, folders, listener
        self._seeds = seeds
        self._payload = PayloadTotals()
        self._divergence = DivergenceLog()
        self._seconds = 0.0
        self._final: Sequence[AgentScore] = ()

    def start(self, done: int) -> None:
        """Tell that the run begins, or goes on, after ``done`` rounds."""
        rounds = self._setup.config.training.rounds
        self._listener.start(self._setup.method.name, rounds, done)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Count the seconds spent inside as the run's."""
        begin = time.perf_counter()
        yield
        self._seconds += time.perf_counter() - begin

    def sent_before(self, payload: Payload) -> None:
        """Count what was sent before the first round."""
        self._payload.add_once(payload)

    def round(self, round: int, payload: Payload, scores: Sequence[AgentScore] = ()) -> None:
        """Count what a round sent and record its scores, if it was evaluated."""
        self._payload.add(payload)
        accuracy = self._record(round, scores) if scores else None
        self._listener.round(round, accuracy)

    def finish(self, scores: Sequence[AgentScore]) -> None:
        """Record the scores after the last round, on all evaluation samples."""
        self._final, rounds = scores, self._setup.config.training.rounds
        self._listener.round(rounds, self._record(rounds, scores))

    def _record(self, round: int, scores: Sequence[AgentScore]) -> dict[str, float]:
        """Write a line per group and seed; return the accuracy of every group."""
        if new := self._divergence.update(round, scores):
            method, lr = self._setup.method.name, self._setup.lr
            self._listener.note(note_of(new, len(scores), method=method, round=round, lr=lr))
        for seed, folder in self._folders.items():
            append_jsonl(folder / METRICS, metric_rows(round, seed, _of_seed(scores, seed)))
        return {group: means["accuracy"] for group, means in group_means(scores).items()}

    def diverged(self, seed: int) -> dict[str, Any] | None:
        """Return which of a seed's agents have diverged, and since when; None: none has."""
        return self._divergence.of(seed)

    def summaries(
        self,
        *,
        parameters: Mapping[str, int],
        overlays: Mapping[int, Sequence[Mapping[str, Any]]],
        clock: Mapping[str, float],
        peak_memory_bytes: int,
        ranks: int = 1,
        threads: int = 1,
    ) -> dict[int, Summary]:
        """Write the summary of every seed, and return them.

        Args:
            parameters: of one agent, by group.
            overlays: those of the last round, by seed.
            clock: seconds spent on each part of a round, in all rounds.
            peak_memory_bytes: of the process that needed most.
            ranks: how many processes shared the agents.
            threads: of each process.

        Raises:
            OutputError: a folder cannot be written to.
        """
        setup = self._setup
        summaries = {}
        for seed in self._seeds:
            facts = Facts(
                method=setup.method.name,
                data=setup.data.name,
                lr=setup.lr,
                evaluated_samples=len(setup.evaluation_samples),
                parameters=parameters,
                overlays=overlays[seed],
                peak_memory_bytes=peak_memory_bytes,
                proposal=setup.proposals.get(seed),
                seeds_side_by_side=len(self._seeds),
                ranks=ranks,
                diverged=self.diverged(seed),
                threads=threads,
            )
            scores = _of_seed(self._final, seed)
            summaries[seed] = summary(setup.config, seed, scores, self._spent(clock), facts)
        for seed, folder in self._folders.items():
            write_json(folder / "summary.json", summaries[seed])
        return summaries

    def _spent(self, clock: Mapping[str, float]) -> dict[str, Any]:
        """Return payload and seconds; those of seeds side by side are shared out evenly."""
        seeds, rounds = len(self._seeds), self._setup.config.training.rounds
        return {
            **self._payload.summary(seeds),
            "wall_seconds": self._seconds / seeds,
            "seconds_per_round": {
                part: seconds / seeds / rounds for part, seconds in clock.items()
            },
        }

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint must hold, as JSON values."""
        return {
            "seconds": self._seconds,
            "payload": self._payload.state(),
            "diverged": self._divergence.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`state` gave."""
        self._seconds = state["seconds"]
        self._payload.restore(state["payload"])
        self._divergence.restore(state.get("diverged", ()))

    def keep_until(self, round: int) -> None:
        """Drop the lines of later rounds, which a resumed run writes again."""
        for folder in self._folders.values():
            rewrite_jsonl(folder / METRICS, lambda row: row["round"] <= round)


def _of_seed(scores: Sequence[AgentScore], seed: int) -> list[AgentScore]:
    return [score for score in scores if score.agent.seed == seed]
