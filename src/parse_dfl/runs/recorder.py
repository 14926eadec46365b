"""Record a run while it trains: scores, traffic, divergence, time; its summaries at the end."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from parse_dfl.engine.gossip import Payload
from parse_dfl.runs.callbacks import Listener
from parse_dfl.runs.folder import append_jsonl, rewrite_jsonl, write_json
from parse_dfl.runs.results import (
    AgentScore,
    Facts,
    group_means,
    metric_rows,
    summary,
)
from parse_dfl.runs.setup import RunSetup

METRICS = "metrics.jsonl"
Summary = dict[str, Any]


class PayloadTotals:
    """Adds up the payload of every round."""

    def __init__(self) -> None:
        self._totals = {"rounds": 0, "bytes": 0, "per_link": 0.0, "largest": 0}

    def add(self, payload: Payload) -> None:
        """Count one round."""
        self._totals["rounds"] += 1
        self._totals["bytes"] += payload.total_bytes
        self._totals["per_link"] += payload.mean_bytes
        self._totals["largest"] = max(self._totals["largest"], payload.largest_bytes)

    def add_once(self, payload: Payload) -> None:
        """Count what was sent before the first round, spread over all rounds."""
        self._totals["bytes"] += payload.total_bytes
        self._totals["per_link"] += payload.mean_bytes

    def summary(self, federations: int = 1) -> dict[str, Any]:
        """Return means over the rounds, for one of so many federations side by side."""
        rounds = max(1, self._totals["rounds"])
        return {
            "payload_bytes_per_round": self._totals["bytes"] / rounds / federations,
            "payload_bytes_per_link": {
                "mean": self._totals["per_link"] / rounds,
                "max": self._totals["largest"],
            },
        }

    def state(self) -> dict[str, float]:
        """Return it for a checkpoint."""
        return dict(self._totals)

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state` gave."""
        self._totals.update(state)


Name = tuple[int, str]
"""An agent's seed and name."""


class DivergenceLog:
    """Since which evaluated round each agent that has diverged has been so.

    Agents that recover, say because their neighbours' parameters outweigh their own, are
    forgotten: what counts is how a run ends.
    """

    def __init__(self) -> None:
        self._since: dict[Name, int] = {}

    def update(self, round: int, scores: Iterable[AgentScore]) -> list[str]:
        """Take an evaluation in; return the names of agents that had not diverged before."""
        new = []
        for score in scores:
            name = (score.agent.seed, score.agent.name)
            if not score.diverged:
                self._since.pop(name, None)
            elif name not in self._since:
                self._since[name] = round
                new.append(score.agent.name)
        return new

    def of(self, seed: int) -> dict[str, Any] | None:
        """Return ``diverged`` of a seed's summary: the first round it was seen in, the agents."""
        rounds = {name: round for (its, name), round in self._since.items() if its == seed}
        return {"round": min(rounds.values()), "agents": sorted(rounds)} if rounds else None

    def state(self) -> list[list[Any]]:
        """Return it for a checkpoint."""
        return [[seed, name, round] for (seed, name), round in self._since.items()]

    def restore(self, state: Sequence[Sequence[Any]]) -> None:
        """Take over what :meth:`state` gave."""
        self._since = {(seed, name): round for seed, name, round in state}


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
            self._listener.note(
                f"{self._setup.method.name}: {len(new)} of {len(scores)} agents ({new[0]} first) "
                f"have diverged by round {round}: parameters or loss are not finite, or grow "
                f"beyond use; try a lower --lr than {self._setup.lr:g}"
            )
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
