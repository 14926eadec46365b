"""Agents that lie: what they send is not what they learnt, such as ``acc-0:sign-flip``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from parse_dfl.agents import agent_key
from parse_dfl.errors import ConfigError, unknown
from parse_dfl.text import LARGEST_REAL, real

ATTACKS: Mapping[str, float] = {"random": 1.0, "sign-flip": 1.0, "scale": 10.0}
"""Attack → its usual strength."""


@dataclass(frozen=True, kw_only=True)
class Attacker:
    """``agent`` sends, in place of its numbers θ,

    - ``random``: normal ones, ``strength`` times as large as θ's root mean square;
    - ``sign-flip``: −``strength`` · θ;
    - ``scale``: ``strength`` · θ.

    What it keeps and learns from stays honest.
    """

    agent: str
    attack: str
    strength: float


def parse_attacker(text: str) -> Attacker:
    """Read ``AGENT:ATTACK`` or ``AGENT:ATTACK:STRENGTH``.

    Raises:
        ConfigError: the text is not of that form, the attack is unknown, or the strength is not
            above 0.
    """
    agent, *rest = text.split(":")
    if not agent or len(rest) not in (1, 2):
        raise ConfigError(
            f"{text!r} is no attacker; write AGENT:ATTACK or AGENT:ATTACK:STRENGTH, "
            "such as 'acc-0:sign-flip' or 'acc-0:scale:10'"
        )
    attack = rest[0]
    if attack not in ATTACKS:
        raise unknown("attack", attack, ATTACKS)
    strength = _strength(text, rest[1:] or None, attack)
    return Attacker(agent=agent_key(agent), attack=attack, strength=strength)


def _strength(text: str, given: list[str] | None, attack: str) -> float:
    strength = real(given[0]) if given else ATTACKS[attack]
    if strength is None or not 0 < strength <= LARGEST_REAL:
        raise ConfigError(
            f"the strength of attacker {text!r} must be a number above 0, at most {LARGEST_REAL:g}"
        )
    return strength


def check_attackers(attackers: Iterable[Attacker], agents: Iterable[str]) -> None:
    """Refuse attackers that are not there.

    Raises:
        ConfigError: one is no agent, or is named twice.
    """
    known, seen = list(agents), set()
    for attacker in attackers:
        if attacker.agent not in known:
            raise unknown("agent", attacker.agent, known)
        if attacker.agent in seen:
            raise ConfigError(f"attacker {attacker.agent!r} is named twice; give it one attack")
        seen.add(attacker.agent)
