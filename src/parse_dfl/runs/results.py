"""Turn the outcome of a run into what its records hold: scores, overlays, peak memory."""

from __future__ import annotations

import resource
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from parse_dfl.agents import AgentSpec
from parse_dfl.config import RunConfig
from parse_dfl.engine.agent_stack import AgentStack
from parse_dfl.engine.evaluation import Scores
from parse_dfl.engine.neighbourhood import MixingCache, OverlayKey, Owned
from parse_dfl.engine.simulator import Simulator
from parse_dfl.methods.base import Stage
from parse_dfl.records import AgentResult, GroupResult, MetricsLine, Overlay
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
    """Return the scores agent by agent."""
    flat = []
    for stack, score in scores:
        for row, agent in enumerate(stack.agents):
            values = {name: float(getattr(score, name)[row]) for name in (*SCORES, DIVERGED)}
            weight = trial.weights.get(agent, 1)
            flat.append(AgentScore(agent, int(stack.data.sizes[row]), weight, values))
    return flat


def of_all_ranks(trial: Trial, scores: list[AgentScore]) -> list[AgentScore]:
    """Return the scores of all ranks' agents, in the order of one process, on the first rank.

    Other ranks get their own back.
    """
    if trial.ranks.size == 1:
        return scores
    rows = [[s.agent.seed, s.agent.name, s.samples, s.values] for s in scores]
    gathered = trial.ranks.gather(rows)
    if not trial.ranks.is_main:
        return scores
    by_agent = {(seed, name): rest for part in gathered for seed, name, *rest in part}
    return [
        AgentScore(agent, samples, trial.weights.get(agent, 1), values)
        for agent in trial.simulator.backend.agents
        for samples, values in [by_agent[agent.seed, agent.name]]
    ]


def group_means(scores: Sequence[AgentScore]) -> dict[str, dict[str, float]]:
    """Return mean scores per modality set, the sets in the order of their keys."""
    groups: dict[str, list[AgentScore]] = {}
    for score in scores:
        groups.setdefault(score.agent.group, []).append(score)
    return {
        group: {name: weighted_mean(members, name) for name in SCORES}
        for group, members in sorted(groups.items())
    }


def weighted_mean(scores: Sequence[AgentScore], name: str) -> float:
    """Return the mean of one score over all agents that the scores stand for."""
    total = sum(score.weight for score in scores)
    return sum(score.values[name] * score.weight for score in scores) / total


def metrics_lines(round: int, seed: int, scores: Sequence[AgentScore]) -> list[MetricsLine]:
    """Return the lines of ``metrics.jsonl`` for one evaluated round."""
    diverged = Counter(score.agent.group for score in scores if score.diverged)
    return [
        MetricsLine(round=round, group=group, seed=seed, **means, diverged=diverged[group])
        for group, means in group_means(scores).items()
    ]


def group_results(
    scores: Sequence[AgentScore], parameters: Mapping[str, int]
) -> dict[str, GroupResult]:
    """Return the final scores per modality set; ``parameters`` are one agent's, by set."""
    agents: Counter[str] = Counter()
    for score in scores:
        agents[score.agent.group] += score.weight
    return {
        group: GroupResult(agents=agents[group], parameters=parameters[group], **means)
        for group, means in group_means(scores).items()
    }


def agent_result(score: AgentScore) -> AgentResult:
    """Return an agent's final scores."""
    return AgentResult(
        name=score.agent.name,
        group=score.agent.group,
        samples=score.samples,
        **{name: score.values[name] for name in SCORES},
        diverged=score.diverged,
    )


def honest_mean_accuracy(config: RunConfig, scores: Sequence[AgentScore]) -> float | None:
    """Return the mean accuracy of those who do not attack; None where nobody does."""
    attackers = {attacker.agent for attacker in config.overlay.attackers}
    honest = [score for score in scores if score.agent.name not in attackers]
    return weighted_mean(honest, "accuracy") if attackers and honest else None


def parameters_by_group(simulator: Simulator) -> dict[str, int]:
    """Count the parameters of one agent of each group."""
    owned: dict[AgentSpec, int] = {}
    for owners in simulator.backend.owners.values():
        for agent in owners.agents:
            owned[agent] = owned.get(agent, 0) + owners.width
    return {agent.group: owned[agent] for agent in simulator.backend.agents}


def overlays_of_seeds(trial: Trial) -> dict[int, list[Overlay]]:
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
) -> dict[OverlayKey, Overlay]:
    """Return overlays of several members, sorted; those that nobody could draw are left out."""
    keys = {key for owners in owned for key in book.overlays(owners, stage)}
    drawn = {}
    for key in sorted(keys, key=lambda key: (key.label, key.members)):
        if len(key.members) < 2:
            continue
        edges = book.edges(key, round)
        if len(edges.pairs) <= MOST_EDGES:
            pairs = tuple((key.members[i], key.members[j]) for i, j in edges.pairs.tolist())
            drawn[key] = Overlay(label=key.label, members=key.members, edges=pairs)
    return drawn


def peak_memory_bytes() -> int:
    """Return the largest resident set of this process so far.

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
