"""Who takes part: the identity of an agent, and mixes of agents such as ``acc=5,acc+gyro=5``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from parse_dfl.errors import ConfigError
from parse_dfl.modalities import ModalitySet, key, modality_set
from parse_dfl.numerals import whole

MOST_AGENTS = 10_000_000
"""Of a mix; their names alone then take gigabytes."""


@dataclass(frozen=True, kw_only=True)
class AgentSpec:
    """One agent's identity.

    ``name`` is unique within its federation.  ``seed`` names the federation: agents of
    different seeds never meet, so that several seeds can ride along as more rows of the same
    matrices.  ``encoders`` maps a modality to the name of the encoder that the agent uses for
    it (missing: the default of the modality's kind).
    """

    name: str
    modalities: ModalitySet
    seed: int = 0
    encoders: tuple[tuple[str, str], ...] = field(default=())

    @property
    def group(self) -> str:
        """The modality set's key, by which results are reported."""
        return key(self.modalities)

    def encoder(self, modality: str) -> str | None:
        """The encoder's name for ``modality``, or None for the default of its kind."""
        return dict(self.encoders).get(modality)

    def with_modalities(self, modalities: ModalitySet) -> AgentSpec:
        """The same agent after it lost or gained a modality."""
        return replace(self, modalities=modalities)


@dataclass(frozen=True)
class AgentMix:
    """How many agents own which modality set, in the order written."""

    counts: tuple[tuple[ModalitySet, int], ...]

    @property
    def size(self) -> int:
        """Number of agents N."""
        return sum(count for _, count in self.counts)

    @property
    def modalities(self) -> ModalitySet:
        """Every modality that some agent owns, sorted."""
        return tuple(sorted({name for owned, _ in self.counts for name in owned}))

    def agents(self, seed: int = 0) -> list[AgentSpec]:
        """The agents, named ``acc-0``, ``acc-1``, …, ``acc+gyro-0``, …"""
        return [
            AgentSpec(name=f"{key(owned)}-{index}", modalities=owned, seed=seed)
            for owned, count in self.counts
            for index in range(count)
        ]

    def __str__(self) -> str:
        return ",".join(f"{key(owned)}={count}" for owned, count in self.counts)


def parse_mix(text: str) -> AgentMix:
    """Read ``"acc=5,gyro=20,acc+gyro=5"``.

    Raises:
        ConfigError: a part is not ``SET=COUNT``, a count is below one, or a set is named twice.
    """
    counts: list[tuple[ModalitySet, int]] = []
    for part in text.split(","):
        names, equals, number = part.strip().partition("=")
        count = whole(number)
        if not equals or count is None:
            raise ConfigError(
                f"{part.strip()!r} in the agent mix {text!r} is not SET=COUNT; "
                "write a mix like 'acc=5,gyro=5,acc+gyro=5'"
            )
        if not 1 <= count <= MOST_AGENTS:
            raise ConfigError(
                f"{part.strip()!r} in the agent mix asks for {count} agents; use 1 or more, "
                f"at most {MOST_AGENTS}"
            )
        counts.append((modality_set(names), count))
    _refuse_repeats([owned for owned, _ in counts], text)
    return AgentMix(tuple(counts))


def _refuse_repeats(sets: Sequence[ModalitySet], text: str) -> None:
    for owned in sets:
        if sets.count(owned) > 1:
            raise ConfigError(
                f"{key(owned)!r} stands twice in the agent mix {text!r}; name each set once"
            )
