"""Agents that miss rounds, and modalities that agents lose or gain while training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from parse_dfl.agents import AgentSpec
from parse_dfl.errors import ConfigError, unknown
from parse_dfl.events import ModalityEvent
from parse_dfl.modalities import modality_set
from parse_dfl.networks.randomness import hash_counters
from parse_dfl.training.batches import agent_key


def check_events(
    events: Iterable[ModalityEvent],
    agents: Sequence[AgentSpec],
    modalities: Iterable[str],
    rounds: int,
) -> None:
    """Refuse events that cannot happen.

    Raises:
        ConfigError: an unknown agent or modality, a round after the last, a gain of what is
            owned, a loss of what is not, or of the last modality.
    """
    owned = {agent.name: set(agent.modalities) for agent in agents}
    known = set(modalities)
    for event in sorted(events, key=lambda event: event.round):
        if event.round > rounds:
            raise ConfigError(f"an event in round {event.round} of {rounds} would never happen")
        if event.agent not in owned:
            raise unknown("agent in an event:", event.agent, owned)
        if event.modality not in known:
            raise unknown("modality in an event:", event.modality, known)
        own = owned[event.agent]
        if event.gained == (event.modality in own):
            verb = "already has" if event.gained else "does not have"
            raise ConfigError(
                f"agent {event.agent!r} {verb} {event.modality!r} in round {event.round}"
            )
        own.symmetric_difference_update({event.modality})
        if not own:
            raise ConfigError(
                f"agent {event.agent!r} would lose its last modality {event.modality!r} in round "
                f"{event.round}"
            )


def apply_event(agent: AgentSpec, event: ModalityEvent) -> AgentSpec:
    """The agent after the event; other agents are returned unchanged."""
    if agent.name != event.agent:
        return agent
    return agent.with_modalities(modality_set(set(agent.modalities) ^ {event.modality}))


def absent_agents(agents: Sequence[AgentSpec], probability: float, round: int) -> set[AgentSpec]:
    """Who misses a round: each agent by its own coin, whatever the others do."""
    if not probability:
        return set()
    keys = np.array([agent_key(agent, "absence") for agent in agents], dtype=np.uint64)
    draws = hash_counters(keys, np.full(len(keys), round, dtype=np.uint64))
    away = draws < np.uint64(min(int(probability * 2**64), 2**64 - 1))
    return {agent for agent, gone in zip(agents, away, strict=True) if gone}
