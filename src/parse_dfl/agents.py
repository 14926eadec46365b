"""Describe agents, the modalities that they own, and changes of these while training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import combinations
from numbers import Integral
from typing import ClassVar, Self

from parse_dfl.errors import ConfigError, unknown
from parse_dfl.text import name_key, whole
from parse_dfl.text_form import TextForm


class Kind(StrEnum):
    """How a modality's samples are laid out, which decides its default encoder."""

    VECTOR = "vector"  # (features,)
    SERIES = "series"  # (time, channels)
    IMAGE = "image"  # (height, width) or (height, width, channels)
    VIDEO = "video"  # (frames, height, width) or (frames, height, width, channels)


ModalitySet = tuple[str, ...]
"""Sorted, distinct keys of modality names (:mod:`parse_dfl.text`), as ``("acc", "gyro")``."""


def modality_set(names: str | Iterable[str]) -> ModalitySet:
    """Return the modality set of ``"acc+gyro"`` or of any iterable of names, as keys.

    Raises:
        ConfigError: a name is empty, repeated, or holds what no name can (``+``, ``=``, ``,``).
    """
    parts = names.split("+") if isinstance(names, str) else list(names)
    keys = [modality_key(part, within=names) for part in parts]
    if not parts or len(set(keys)) != len(keys):
        raise ConfigError(f"modality set {names!r} must name at least one modality, each once")
    return tuple(sorted(keys))


def modality_key(name: str, within: object = None) -> str:
    """Return the key of a modality's name; ``within`` is the text that holds it, for messages.

    Raises:
        ConfigError: it can be no name.
    """
    if not isinstance(name, str):
        raise ConfigError(f"a modality's name must be text, not {name!r}")
    try:
        return name_key(name)
    except ValueError as reason:
        where = "" if within in (None, name) else f" (in {within!r})"
        raise ConfigError(f"{name!r} is no modality name{where}: {reason}") from None


def agent_key(name: str) -> str:
    """Return an agent's name by its key: ``left wrist-0`` becomes that of a mix, others stay.

    Raises:
        ConfigError: it is no text, or empty.
    """
    if not isinstance(name, str) or not name.strip():
        raise ConfigError(f"an agent's name must be text such as 'acc-0', not {name!r}")
    group, dash, number = name.strip().rpartition("-")
    if not (dash and number.isdecimal()):
        return name
    try:
        return f"{key(modality_set(group))}-{number}"
    except ConfigError:
        return name


def key(modalities: Iterable[str]) -> str:
    """Return the sorted names joined by ``+``: how files and tables name a modality set."""
    return "+".join(sorted(modalities))


def pairs(modalities: Iterable[str]) -> list[tuple[str, str]]:
    """Return all unordered pairs, each sorted: synergy is kept per pair of modalities."""
    return list(combinations(sorted(modalities), 2))


MOST_AGENTS = 1_000_000
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
        """Return the encoder's name for ``modality``, or None for the default of its kind."""
        return dict(self.encoders).get(modality)

    def with_modalities(self, modalities: ModalitySet) -> AgentSpec:
        """Return the same agent after it lost or gained a modality."""
        return replace(self, modalities=modalities)


@dataclass(frozen=True)
class AgentMix(TextForm):
    """How many agents own which modality set, in the order written: ``acc=5,acc+gyro=2``."""

    example: ClassVar[str] = "{'acc': 5, 'acc+gyro': 2}"
    counts: tuple[tuple[ModalitySet, int], ...]

    @classmethod
    def from_string(cls, text: str) -> Self:
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
        _refuse_repeats([modalities for modalities, _ in counts], text)
        return cls(tuple(counts))

    @classmethod
    def from_object(cls, value: object) -> Self | None:
        """Return the mix of a mapping: ``{"top": 5, "top+bottom": 2}``.

        Raises:
            ConfigError: a count is no whole number above 0, or a name cannot be used.
        """
        if not isinstance(value, Mapping) or not value:
            return None
        for names, count in value.items():
            if isinstance(count, bool) or not isinstance(count, Integral):
                raise ConfigError(f"agents of {names!r} must be a whole number, not {count!r}")
        return cls.from_string(",".join(f"{names}={count}" for names, count in value.items()))

    @property
    def size(self) -> int:
        """Number of agents N."""
        return sum(count for _, count in self.counts)

    @property
    def modalities(self) -> ModalitySet:
        """Every modality that some agent owns, sorted."""
        return tuple(sorted({name for modalities, _ in self.counts for name in modalities}))

    def agents(self, seed: int = 0) -> list[AgentSpec]:
        """Return the agents, named ``acc-0``, ``acc-1``, …, ``acc+gyro-0``, …"""
        return [
            AgentSpec(name=f"{key(modalities)}-{index}", modalities=modalities, seed=seed)
            for modalities, count in self.counts
            for index in range(count)
        ]

    def __str__(self) -> str:
        return ",".join(f"{key(modalities)}={count}" for modalities, count in self.counts)


def _refuse_repeats(sets: Sequence[ModalitySet], text: str) -> None:
    for modalities in sets:
        if sets.count(modalities) > 1:
            raise ConfigError(
                f"{key(modalities)!r} stands twice in the agent mix {text!r}; name each set once"
            )


@dataclass(frozen=True, kw_only=True)
class ModalityChange(TextForm):
    """Before ``round`` (counted from 1) ``agent`` gains or loses a modality; name one of both."""

    example: ClassVar[str] = "ModalityChange(round=40, agent='acc-0', gains='gyro')"
    round: int
    agent: str
    gains: str | None = None
    loses: str | None = None

    def __post_init__(self) -> None:
        """Check the round, and write names as keys."""
        if (self.gains is None) == (self.loses is None):
            raise ConfigError(
                f"a modality change names what agent {self.agent!r} gains or what it loses, "
                f"one of both: {self.example}"
            )
        is_whole = isinstance(self.round, Integral) and not isinstance(self.round, bool)
        if not is_whole or self.round < 1:
            raise ConfigError(
                f"round of a modality change must be 1 or more, and whole, not {self.round!r}"
            )
        object.__setattr__(self, "round", int(self.round))
        object.__setattr__(self, "agent", agent_key(self.agent))
        name = "loses" if self.gains is None else "gains"
        object.__setattr__(self, name, modality_key(self.modality, within=str(self)))

    @classmethod
    def from_string(cls, text: str) -> Self:
        """Read ``ROUND:AGENT:+MODALITY`` (gained) or ``ROUND:AGENT:-MODALITY`` (lost).

        Raises:
            ConfigError: the text is not of that form.
        """
        parts = text.split(":")
        if len(parts) == 3:
            number, agent, change = parts
            round = whole(number)
            if round is not None and round > 0 and agent and change[:1] in ("+", "-"):
                name = "gains" if change[0] == "+" else "loses"
                return cls(round=round, agent=agent, **{name: change[1:]})
        raise ConfigError(
            f"{text!r} is no modality event; write ROUND:AGENT:+MODALITY or "
            "ROUND:AGENT:-MODALITY, such as '40:acc-0:+gyro', rounds counted from 1"
        )

    @property
    def gained(self) -> bool:
        """Whether the modality is gained, not lost."""
        return self.gains is not None

    @property
    def modality(self) -> str:
        """The modality that is gained or lost."""
        name = self.loses if self.gains is None else self.gains
        assert name is not None
        return name

    def __str__(self) -> str:
        return f"{self.round}:{self.agent}:{'+' if self.gained else '-'}{self.modality}"


def check_changes(
    changes: Iterable[ModalityChange],
    agents: Sequence[AgentSpec],
    modalities: Iterable[str],
    rounds: int,
) -> None:
    """Refuse changes that cannot happen.

    Raises:
        ConfigError: an unknown agent or modality, a round after the last, a gain of what is
            owned, a loss of what is not, or of the last modality.
    """
    owned = {agent.name: set(agent.modalities) for agent in agents}
    names = set(modalities)
    for change in sorted(changes, key=lambda change: change.round):
        if change.round > rounds:
            raise ConfigError(f"an event in round {change.round} of {rounds} would never happen")
        if change.agent not in owned:
            raise unknown("agent in an event:", change.agent, owned)
        if change.modality not in names:
            raise unknown("modality in an event:", change.modality, names)
        modalities_now = owned[change.agent]
        if change.gained == (change.modality in modalities_now):
            verb = "already has" if change.gained else "does not have"
            raise ConfigError(
                f"agent {change.agent!r} {verb} {change.modality!r} in round {change.round}"
            )
        modalities_now.symmetric_difference_update({change.modality})
        if not modalities_now:
            raise ConfigError(
                f"agent {change.agent!r} would lose its last modality {change.modality!r} in "
                f"round {change.round}"
            )


def apply_change(agent: AgentSpec, change: ModalityChange) -> AgentSpec:
    """Return the agent after the change; other agents are returned as they are."""
    if agent.name != change.agent:
        return agent
    return agent.with_modalities(modality_set(set(agent.modalities) ^ {change.modality}))
