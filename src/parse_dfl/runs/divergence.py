"""What a run remembers of agents that diverge, and how it says so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from parse_dfl.runs.results import AgentScore

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
        """Take an evaluation in; the names of the agents that had not diverged before."""
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
        """``diverged`` of a seed's summary: the first round it was seen in, and the agents."""
        own = {name: round for (its, name), round in self._since.items() if its == seed}
        return {"round": min(own.values()), "agents": sorted(own)} if own else None

    def state(self) -> list[list[Any]]:
        """For a checkpoint."""
        return [[seed, name, round] for (seed, name), round in self._since.items()]

    def restore(self, state: Sequence[Sequence[Any]]) -> None:
        """Take over what :meth:`state` gave."""
        self._since = {(seed, name): round for seed, name, round in state}


def note_of(new: Sequence[str], agents: int, *, method: str, round: int, lr: float) -> str:
    """What a person is told when agents diverge."""
    return (
        f"{method}: {len(new)} of {agents} agents ({new[0]} first) have diverged by round {round}: "
        f"parameters or loss are not finite, or grow beyond use; try a lower --lr than {lr:g}"
    )
