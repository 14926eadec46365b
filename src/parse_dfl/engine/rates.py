"""The learning-rate factors of a stage, one per branch and agent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import inf

from parse_dfl.agents import AgentSpec
from parse_dfl.engine.state import StateBlock
from parse_dfl.errors import ConfigError
from parse_dfl.methods.base import Stage, full_lr

Rates = Mapping[str, tuple[float, ...]]
"""By the branch's label, a factor per row."""


def rates_of(stage: Stage, rows: Mapping[str, StateBlock], agents: Sequence[AgentSpec]) -> Rates:
    """Ask the stage for the factor of every branch of ``rows`` and each of its ``agents``.

    Raises:
        ConfigError: a factor is negative or not finite.
    """
    if stage.lr_scale is full_lr:
        return dict.fromkeys(rows, (1.0,) * len(agents))
    rates = {
        label: tuple(float(stage.lr_scale(block.branch, agent)) for agent in agents)
        for label, block in rows.items()
    }
    for label, own in rates.items():
        for agent, rate in zip(agents, own, strict=True):
            if not 0 <= rate < inf:
                raise ConfigError(
                    f"the stage's rate factor of {label} for agent {agent.name!r} is {rate:g}; "
                    "it must be finite and at least 0"
                )
    return rates


def common_rate(rates: Sequence[float]) -> float | None:
    """Return the factor that all rows have, or None where they differ."""
    return rates[0] if len(set(rates)) == 1 else None


def rows_by_rate(rows: Mapping[str, StateBlock], rates: Rates) -> dict[float, list[StateBlock]]:
    """Cut blocks where the factor changes, and gather the pieces of equal factors.

    Rows with factor zero are left out: they take no step, and none is counted.
    """
    found: dict[float, list[StateBlock]] = {}
    for label, block in rows.items():
        for rows_alike, rate in _runs(rates[label]):
            if rate:
                whole = rows_alike == slice(0, len(rates[label]))
                piece = block if whole else block.rows(rows_alike)
                found.setdefault(rate, []).append(piece)
    return found


def _runs(values: Sequence[float]) -> list[tuple[slice, float]]:
    """Runs of equal neighbouring values."""
    ends = [end for end in range(1, len(values)) if values[end] != values[end - 1]]
    bounds = [0, *ends, len(values)]
    return [(slice(start, end), values[start]) for start, end in pairwise(bounds)]
