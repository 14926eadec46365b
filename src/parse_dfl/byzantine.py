"""Describe Byzantine agents, which send false parameters, and averaging that withstands them.

Objects and their text forms only; :mod:`parse_dfl.methods.byzantine_aggregation` has the rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from math import ceil
from typing import Any, ClassVar, Self

from parse_dfl.agents import agent_key
from parse_dfl.errors import ConfigError, nearest, unknown
from parse_dfl.settings import Settings, setting
from parse_dfl.text import LARGEST_REAL, real
from parse_dfl.text_form import TextForm, number_text

ATTACKS: Mapping[str, float] = {"random": 1.0, "sign-flip": 1.0, "scale": 10.0}
"""Attack → its usual strength."""


@dataclass(frozen=True, kw_only=True)
class Attacker(TextForm):
    """``agent`` sends, in place of its numbers θ,

    - ``random``: normal ones, ``strength`` times as large as θ's root mean square;
    - ``sign-flip``: −``strength`` · θ;
    - ``scale``: ``strength`` · θ.

    What it keeps and learns from stays honest.  No ``strength`` is the attack's usual one.
    """

    example: ClassVar[str] = "Attacker(agent='acc-0', attack='sign-flip')"
    agent: str
    attack: str
    strength: float = None  # type: ignore[assignment]  # set below

    def __post_init__(self) -> None:
        """Check attack and strength, and write the agent's name by its key."""
        if self.attack not in ATTACKS:
            raise unknown("attack", self.attack, ATTACKS)
        strength = ATTACKS[self.attack] if self.strength is None else self.strength
        is_number = isinstance(strength, int | float) and not isinstance(strength, bool)
        if not is_number or not 0 < strength <= LARGEST_REAL:
            raise ConfigError(
                f"the strength of attacker {self.agent!r} must be a number above 0, at most "
                f"{LARGEST_REAL:g}, not {strength!r}"
            )
        object.__setattr__(self, "agent", agent_key(self.agent))
        object.__setattr__(self, "strength", float(strength))

    @classmethod
    def from_string(cls, text: str) -> Self:
        """Read ``AGENT:ATTACK`` or ``AGENT:ATTACK:STRENGTH``.

        Raises:
            ConfigError: the text is not of that form, the attack is unknown, or the strength is
                not above 0.
        """
        agent, *rest = text.split(":")
        if not agent or len(rest) not in (1, 2):
            raise ConfigError(
                f"{text!r} is no attacker; write AGENT:ATTACK or AGENT:ATTACK:STRENGTH, "
                "such as 'acc-0:sign-flip' or 'acc-0:scale:10'"
            )
        attack, *strength = rest
        if not strength:
            return cls(agent=agent, attack=attack)
        number = real(strength[0])
        value: Any = strength[0] if number is None else number
        return cls(agent=agent, attack=attack, strength=value)

    def __str__(self) -> str:
        is_usual = self.strength == ATTACKS[self.attack]
        return f"{self.agent}:{self.attack}{'' if is_usual else f':{number_text(self.strength)}'}"


def check_attackers(attackers: Iterable[Attacker], agents: Iterable[str]) -> None:
    """Refuse attackers that are not there.

    Raises:
        ConfigError: one is no agent, or is named twice.
    """
    names, seen = list(agents), set()
    for attacker in attackers:
        if attacker.agent not in names:
            raise unknown("agent", attacker.agent, names)
        if attacker.agent in seen:
            raise ConfigError(f"attacker {attacker.agent!r} is named twice; give it one attack")
        seen.add(attacker.agent)


class RobustRule(TextForm, Settings):
    """What takes the place of averaging: ``NAME`` or ``NAME:SETTING=VALUE,SETTING=VALUE``.

    ``clipping``, ``trimmed-mean:attackers=1`` or ``balance:gamma=0.5,kappa=0``, say.
    """

    example: ClassVar[str] = "Clipping()"

    @classmethod
    def from_string(cls, text: str) -> Self:
        """Read the text form.

        Raises:
            ConfigError: the rule or a setting is unknown, or a value is out of its range.
        """
        name, colon, settings = text.partition(":")
        kind = ROBUST_RULES.get(name)
        if kind is None or (kind is Averaging and colon):
            raise unknown("robust mixing", name, ROBUST_RULES)
        pairs = [_setting(name, part) for part in settings.split(",")] if colon else []
        values = dict(pairs)
        if len(values) < len(pairs):
            raise ConfigError(f"robust {text!r} gives a setting twice; give each once")
        names = [field.name for field in fields(kind)]
        for setting_name in values:
            if setting_name not in names:
                raise ConfigError(
                    f"{name} has no setting {setting_name!r}{nearest(setting_name, names)}"
                )
        made = kind(**values)
        assert isinstance(made, cls)
        return made

    @classmethod
    def from_object(cls, value: object) -> Self | None:
        """Return plain averaging for None."""
        made = Averaging() if value is None else None
        assert made is None or isinstance(made, cls)
        return made

    def __str__(self) -> str:
        values = {field: getattr(self, field.name) for field in fields(self)}
        settings = [
            f"{field.name}={number_text(value)}"
            for field, value in values.items()
            if value != field.default
        ]
        return ":".join([self.keyword, ",".join(settings)] if settings else [self.keyword])


def _setting(name: str, part: str) -> tuple[str, float]:
    setting_name, equals, text = part.partition("=")
    value = real(text)
    if not equals or value is None:
        raise ConfigError(
            f"{part!r} is no setting of {name}; write SETTING=NUMBER, such as "
            "'clipping:attackers=2'"
        )
    return setting_name.strip(), value


class Averaging(RobustRule):
    """Plain averaging, which trusts every neighbour."""

    keyword: ClassVar[str] = "none"


def _check_attackers(value: float) -> None:
    if value > 1 and not value.is_integer():
        raise ConfigError(f"attackers must be a whole number, or a share below 1, not {value:g}")


class Clipping(RobustRule):
    """``attackers`` are so many of an agent's neighbours, below 1 a share of them, rounded up; the
    radius is the largest distance of the others.  ``radius`` above 0 fixes it instead."""

    keyword: ClassVar[str] = "clipping"
    attackers: float = setting(0.2, above=0, at_most=LARGEST_REAL, check=_check_attackers)
    radius: float = setting(0.0, at_least=0, at_most=LARGEST_REAL)


class Balance(RobustRule):
    """A neighbour is heard if it is nearer than ``gamma`` · exp(-``kappa`` · t/T) times the length
    of one's own parameters.

    ``gamma`` was tuned on validation data (benchmarks/robust): smaller, it shuts out the honest
    as well.
    """

    keyword: ClassVar[str] = "balance"
    gamma: float = setting(1.0, above=0, at_most=LARGEST_REAL)
    kappa: float = setting(1.0, at_least=0, at_most=LARGEST_REAL)


class TrimmedMean(RobustRule):
    """``attackers`` as in :class:`Clipping`: so many of the largest and of the smallest numbers are
    left out, in every column."""

    keyword: ClassVar[str] = "trimmed-mean"
    attackers: float = setting(0.2, above=0, at_most=LARGEST_REAL, check=_check_attackers)


ROBUST_RULES: Mapping[str, type[RobustRule]] = {
    kind.keyword: kind for kind in (Averaging, Clipping, Balance, TrimmedMean)
}
"""Name → rule."""


def attackers_among(attackers: float, degree: int) -> int:
    """Return how many of ``degree`` neighbours are taken for attackers: a number, or a share
    rounded up."""
    return int(attackers) if attackers >= 1 else ceil(attackers * degree - 1e-9)
