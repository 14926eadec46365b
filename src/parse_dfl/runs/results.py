"""What a run writes down: scores per agent group, payload, the summary."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parse_dfl.agents import AgentSpec
from parse_dfl.config import RunConfig, to_dict
from parse_dfl.engine.agent_stack import AgentStack
from parse_dfl.engine.evaluation import Scores
from parse_dfl.engine.neighbourhood import MixingCache, OverlayKey, Owned
from parse_dfl.engine.simulator import Simulator
from parse_dfl.methods.base import Stage
from parse_dfl.runs.auto_split import Proposal
from parse_dfl.runs.setup import Trial

SCORES = ("accuracy", "macro_f1", "local_accuracy", "loss")
DIVERGED = "diverged"
"""Beside an agent's scores: whether they mean nothing."""
MOST_EDGES = 2000
"""Overlays of more edges are not written into the summary: nobody could draw them."""


@dataclass(frozen=True)
class AgentScore:
    """One agent's scores; ``weight`` is the number of agents that it stands for."""

    agent: AgentSpec
    samples: int
    weight: int
    values: Mapping[str, float]

    @property
    def diverged(self) -> bool:
        """Whether the scores mean nothing, because the agent has diverged."""
        return bool(self.values.get(DIVERGED, False))


def agent_scores(trial: Trial, scores: Sequence[tuple[AgentStack, Scores]]) -> list[AgentScore]:
    """The scores agent by agent."""
    listed = []
    for stack, score in scores:
        for row, agent in enumerate(stack.agents):
            values = {name: float(getattr(score, name)[row]) for name in (*SCORES, DIVERGED)}
            weight = trial.weights.get(agent, 1)
            listed.append(AgentScore(agent, int(stack.data.sizes[row]), weight, values))
    return listed


def of_all_ranks(trial: Trial, own: list[AgentScore]) -> list[AgentScore]:
    """The scores of all ranks' agents, in the order of one process, on the first rank; on others
    their own."""
    simulator = trial.simulator
    if trial.ranks.size == 1:
        return own
    told = [[s.agent.seed, s.agent.name, s.samples, s.values] for s in own]
    rows = trial.ranks.gather(told)
    if not trial.ranks.is_main:
        return own
    found = {(seed, name): rest for part in rows for seed, name, *rest in part}
    return [
        AgentScore(agent, samples, trial.weights.get(agent, 1), values)
        for agent in simulator.backend.agents
        for samples, values in [found[agent.seed, agent.name]]
    ]


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
    """The lines of ``metrics.jsonl`` for one evaluated round; ``diverged`` counts, where there are
    any, a group's agents that have."""
    lost: dict[str, int] = {}
    for score in scores:
        if score.diverged:
            lost[score.agent.group] = lost.get(score.agent.group, 0) + 1
    return [
        {"round": round, "group": key, "seed": seed, **values}
        | ({DIVERGED: lost[key]} if key in lost else {})
        for key, values in group_means(scores).items()
    ]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a summary tells of a run beside its scores.

    ``parameters`` are those of one agent, by group; ``overlays`` those of the last round;
    ``proposal`` is the split that was proposed, where one was asked for; ``diverged`` the agents
    that have, and since when (:class:`~parse_dfl.runs.recorder.DivergenceLog`).
    """

    method: str
    data: str
    lr: float
    evaluated_samples: int
    parameters: Mapping[str, int]
    overlays: Sequence[Mapping[str, Any]]
    peak_memory_bytes: int
    proposal: Proposal | None
    seeds_side_by_side: int = 1
    ranks: int = 1
    diverged: Mapping[str, Any] | None = None
    threads: int = 1


def parameters_by_group(simulator: Simulator) -> dict[str, int]:
    """Count the parameters of one agent of each group."""
    owned: dict[AgentSpec, int] = {}
    for owners in simulator.backend.owners.values():
        for agent in owners.agents:
            owned[agent] = owned.get(agent, 0) + owners.width
    return {agent.group: owned[agent] for agent in simulator.backend.agents}


def summary(
    config: RunConfig,
    seed: int,
    scores: Sequence[AgentScore],
    spent: Mapping[str, Any],
    facts: Facts,
) -> dict[str, Any]:
    """``summary.json`` (contract, *Files*); ``spent`` are payload and seconds."""
    return {
        "method": facts.method,
        "data": facts.data,
        "seed": seed,
        "rounds": config.training.rounds,
        "groups": _groups(scores, facts.parameters),
        "mean_accuracy": weighted_mean(scores, "accuracy"),
        DIVERGED: facts.diverged,
        **_honest(config, scores),
        **spent,
        "seeds_side_by_side": facts.seeds_side_by_side,
        "ranks": facts.ranks,
        "threads": facts.threads,
        "peak_memory_bytes": facts.peak_memory_bytes,
        "lr": facts.lr,
        "proposed_split": facts.proposal.to_dict() if facts.proposal else None,
        "evaluated_on": config.data.evaluate_on,
        "evaluated_samples": facts.evaluated_samples,
        "agents": [_agent_row(score) for score in scores],
        "overlays": list(facts.overlays),
        "config": to_dict(config) | {"seed": seed},
    }


def _honest(config: RunConfig, scores: Sequence[AgentScore]) -> dict[str, float]:
    """The mean accuracy of those who do not lie, where some do."""
    attackers = {attacker.agent for attacker in config.overlay.attackers}
    honest = [score for score in scores if score.agent.name not in attackers]
    return (
        {"honest_mean_accuracy": weighted_mean(honest, "accuracy")} if attackers and honest else {}
    )


def _groups(scores: Sequence[AgentScore], parameters: Mapping[str, int]) -> dict[str, Any]:
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
        **{name: score.values[name] for name in SCORES},
        **({DIVERGED: True} if score.diverged else {}),
    }


def overlays_of_seeds(trial: Trial) -> dict[int, list[dict[str, Any]]]:
    """Return the last round's overlays of each seed, each label and member set once."""
    simulator = trial.simulator
    drawn = overlays_of(
        simulator.mixing_cache,
        simulator.backend.owners.values(),
        simulator.stage,
        max(1, simulator.round),
    )
    return {
        seed: [overlay for key, overlay in drawn.items() if key.seed == seed]
        for seed in trial.seeds
    }


def overlays_of(
    book: MixingCache, owned: Iterable[Owned], stage: Stage, round: int
) -> dict[OverlayKey, dict[str, Any]]:
    """Overlays of more than one member by name, sorted; those that nobody could draw left out."""
    keys = {key for own in owned for key in book.overlays(own, stage) if len(key.members) > 1}
    drawn = {}
    for key in sorted(keys, key=lambda key: (key.label, key.members)):
        edges = book.edges(key, round)
        if len(edges.pairs) <= MOST_EDGES:
            named = [[key.members[i], key.members[j]] for i, j in edges.pairs.tolist()]
            drawn[key] = {"label": key.label, "members": list(key.members), "edges": named}
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
