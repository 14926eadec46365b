"""What a run writes down: scores per agent group, the summary, and slices for the pictures."""

from __future__ import annotations

import resource
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parse_dfl.agents import AgentSpec
from parse_dfl.experiments.config import to_dict
from parse_dfl.experiments.trial import Trial, liars_of
from parse_dfl.training.cohort import Cohort
from parse_dfl.training.evaluation import Scores
from parse_dfl.training.overlays import OverlayKey

SCORES = ("accuracy", "macro_f1", "local_accuracy", "loss")
MOST_EDGES = 2000
"""Overlays of more edges are not written into the summary: nobody could draw them."""


@dataclass(frozen=True)
class AgentScore:
    """One agent's scores; ``weight`` is the number of agents that it stands for."""

    agent: AgentSpec
    samples: int
    weight: int
    values: Mapping[str, float]


def agent_scores(trial: Trial, scores: Sequence[tuple[Cohort, Scores]]) -> list[AgentScore]:
    """The scores agent by agent."""
    listed = []
    for cohort, score in scores:
        for row, agent in enumerate(cohort.agents):
            values = {name: float(getattr(score, name)[row]) for name in SCORES}
            weight = trial.weights.get(agent, 1)
            listed.append(AgentScore(agent, int(cohort.data.sizes[row]), weight, values))
    return listed


def group_means(scores: Sequence[AgentScore]) -> dict[str, dict[str, float]]:
    """Mean scores per modality set, the sets in the order of their keys."""
    groups: dict[str, list[AgentScore]] = {}
    for score in scores:
        groups.setdefault(score.agent.group, []).append(score)
    return {
        key: {name: weighted_mean(own, name) for name in SCORES}
        for key, own in sorted(groups.items())
    }


def weighted_mean(scores: Sequence[AgentScore], name: str) -> float:
    """The mean of one score over all agents that the scores stand for."""
    total = sum(score.weight for score in scores)
    return sum(score.values[name] * score.weight for score in scores) / total


def metric_rows(round: int, seed: int, scores: Sequence[AgentScore]) -> list[dict[str, Any]]:
    """The lines of ``metrics.jsonl`` for one evaluated round."""
    return [
        {"round": round, "group": key, "seed": seed, **values}
        for key, values in group_means(scores).items()
    ]


def summarise(
    trial: Trial, seed: int, scores: Sequence[AgentScore], spent: Mapping[str, Any]
) -> dict[str, Any]:
    """``summary.json`` of one seed (contract, *Files*)."""
    config = trial.config
    own = [score for score in scores if score.agent.seed == seed]
    return {
        "method": trial.simulator.method.name,
        "data": trial.simulator.data.source.name,
        "seed": seed,
        "rounds": config.training.rounds,
        "groups": _groups(trial, own),
        "mean_accuracy": weighted_mean(own, "accuracy"),
        **_honest(trial, own),
        **spent,
        "seeds_side_by_side": len(trial.seeds),
        "peak_memory_bytes": peak_memory_bytes(),
        "lr": trial.simulator.lr,
        "evaluated_on": config.data.evaluate_on,
        "evaluated_samples": len(trial.evaluation_samples),
        "agents": [_agent_row(score) for score in own],
        "overlays": _overlays(trial, seed),
        "config": to_dict(config) | {"seed": seed},
    }


def _honest(trial: Trial, scores: Sequence[AgentScore]) -> dict[str, float]:
    """The mean accuracy of those who do not lie, where some do."""
    liars = {liar.agent for liar in liars_of(trial.config)}
    honest = [score for score in scores if score.agent.name not in liars]
    return {"honest_mean_accuracy": weighted_mean(honest, "accuracy")} if liars and honest else {}


def _groups(trial: Trial, scores: Sequence[AgentScore]) -> dict[str, Any]:
    parameters = {
        cohort.agents[0].group: sum(rows.width for rows in cohort.rows.values())
        for cohort in trial.simulator.layout.cohorts
    }
    counts: dict[str, int] = {}
    for score in scores:
        counts[score.agent.group] = counts.get(score.agent.group, 0) + score.weight
    return {
        key: {"agents": counts[key], "parameters": parameters[key], **means}
        for key, means in group_means(scores).items()
    }


def _agent_row(score: AgentScore) -> dict[str, Any]:
    return {
        "name": score.agent.name,
        "group": score.agent.group,
        "samples": score.samples,
        **score.values,
    }


def _overlays(trial: Trial, seed: int) -> list[dict[str, Any]]:
    """The last round's overlays of one seed, each label and member set once."""
    simulator = trial.simulator
    keys: dict[OverlayKey, None] = {}
    for rows in simulator.layout.branches.values():
        for key in simulator.book.overlays(rows, simulator.stage):
            if key.seed == seed and len(key.members) > 1:
                keys[key] = None
    drawn = []
    for key in sorted(keys, key=lambda key: (key.label, key.members)):
        edges = simulator.book.edges(key, max(1, simulator.round))
        if len(edges.pairs) <= MOST_EDGES:
            named = [[key.members[i], key.members[j]] for i, j in edges.pairs.tolist()]
            drawn.append({"label": key.label, "members": list(key.members), "edges": named})
    return drawn


def peak_memory_bytes() -> int:
    """The largest resident set of this process so far.

    Linux tells it of the program itself; what ``getrusage`` tells there begins with the peak of
    the process that started it.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        if "VmHWM" in lines:
            return int(lines["VmHWM"].split()[0]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
