"""What may go wrong while agents train: attackers, and modalities that come and go."""

from __future__ import annotations

from dataclasses import dataclass

from parse_dfl.agents import parse_event
from parse_dfl.api.text import number
from parse_dfl.byzantine import parse_attacker
from parse_dfl.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Attacker:
    """An agent that sends false parameters to its neighbours.

    ``attack`` is ``random``, ``sign-flip`` or ``scale``; ``strength`` None is the attack's usual
    one (:mod:`parse_dfl.byzantine`).  What the agent keeps and learns from stays honest.
    """

    agent: str
    attack: str
    strength: float | None = None

    def __post_init__(self) -> None:
        strength = self.strength
        if strength is not None and (
            isinstance(strength, bool) or not isinstance(strength, int | float)
        ):
            raise ConfigError(f"strength of an attacker must be a number, not {strength!r}")
        parse_attacker(str(self))

    def __str__(self) -> str:
        text = f"{self.agent}:{self.attack}"
        return text if self.strength is None else f"{text}:{number(self.strength)}"


@dataclass(frozen=True, kw_only=True)
class ModalityChange:
    """Before ``round`` (counted from 1) ``agent`` gains or loses a modality; name one of both."""

    round: int
    agent: str
    gains: str | None = None
    loses: str | None = None

    def __post_init__(self) -> None:
        if (self.gains is None) == (self.loses is None):
            raise ConfigError(
                f"a modality change names what agent {self.agent!r} gains or what it loses, "
                "one of both: ModalityChange(round=40, agent='acc-0', gains='gyro')"
            )
        if isinstance(self.round, bool) or not isinstance(self.round, int) or self.round < 1:
            raise ConfigError(
                f"round of a modality change must be 1 or more, and whole, not {self.round!r}"
            )
        parse_event(str(self))

    def __str__(self) -> str:
        sign, modality = ("+", self.gains) if self.gains is not None else ("-", self.loses)
        return f"{self.round}:{self.agent}:{sign}{modality}"
