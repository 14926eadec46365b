"""Record a run while it trains: scores, traffic, divergence, time; its summaries at the end."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from parse_dfl.config import to_dict
from parse_dfl.engine.gossip import Payload
from parse_dfl.io import to_plain
from parse_dfl.records import METRICS, SUMMARY, Divergence, LinkBytes, Overlay, Summary
from parse_dfl.runs.callbacks import Listener
from parse_dfl.runs.folder import append_jsonl, rewrite_jsonl, write_json
from parse_dfl.runs.results import (
    AgentScore,
    agent_result,
    group_means,
    group_results,
    honest_mean_accuracy,
    metrics_lines,
    weighted_mean,
)
from parse_dfl.runs.setup import RunSetup

PlainSummary = dict[str, Any]
"""A :class:`~parse_dfl.records.Summary` as JSON values."""


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

    def bytes_per_round(self, federations: int = 1) -> float:
        """Return the mean over the rounds, for one of so many federations side by side."""
        return self._totals["bytes"] / max(1, self._totals["rounds"]) / federations

    @property
    def bytes_per_link(self) -> LinkBytes:
        """What a link carries in a round."""
        mean = self._totals["per_link"] / max(1, self._totals["rounds"])
        return LinkBytes(mean=mean, max=int(self._totals["largest"]))

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

    def of(self, seed: int) -> Divergence | None:
        """Return which of a seed's agents have diverged, and since when; None: none has."""
        rounds = {name: round for (its, name), round in self._since.items() if its == seed}
        if not rounds:
            return None
        return Divergence(round=min(rounds.values()), agents=tuple(sorted(rounds)))

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
            lines = metrics_lines(round, seed, _of_seed(scores, seed))
            append_jsonl(folder / METRICS, map(to_plain, lines))
        return {group: means["accuracy"] for group, means in group_means(scores).items()}

    def diverged(self, seed: int) -> Divergence | None:
        """Return which of a seed's agents have diverged, and since when; None: none has."""
        return self._divergence.of(seed)

    def summaries(
        self,
        *,
        parameters: Mapping[str, int],
        overlays: Mapping[int, Sequence[Overlay]],
        clock: Mapping[str, float],
        peak_memory_bytes: int,
        ranks: int = 1,
        threads: int = 1,
    ) -> dict[int, PlainSummary]:
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
        setup, config, count = self._setup, self._setup.config, len(self._seeds)
        rounds = config.training.rounds
        summaries = {}
        for seed in self._seeds:
            scores, proposal = _of_seed(self._final, seed), setup.proposals.get(seed)
            summary = Summary(
                method=setup.method.name,
                data=setup.data.name,
                seed=seed,
                rounds=rounds,
                groups=group_results(scores, parameters),
                mean_accuracy=weighted_mean(scores, "accuracy"),
                diverged=self.diverged(seed),
                honest_mean_accuracy=honest_mean_accuracy(config, scores),
                payload_bytes_per_round=self._payload.bytes_per_round(count),
                payload_bytes_per_link=self._payload.bytes_per_link,
                wall_seconds=self._seconds / count,  # seeds side by side share it evenly
                seconds_per_round={
                    part: seconds / count / rounds for part, seconds in clock.items()
                },
                seeds_side_by_side=count,
                ranks=ranks,
                threads=threads,
                peak_memory_bytes=peak_memory_bytes,
                lr=setup.lr,
                proposed_split=proposal.to_dict() if proposal else None,
                evaluated_on=config.data.evaluate_on,
                evaluated_samples=len(setup.evaluation_samples),
                agents=tuple(map(agent_result, scores)),
                overlays=tuple(overlays[seed]),
                config=to_dict(config) | {"seed": seed},
            )
            summaries[seed] = to_plain(summary)
        for seed, folder in self._folders.items():
            write_json(folder / SUMMARY, summaries[seed])
        return summaries

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
