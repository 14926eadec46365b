"""Declare topologies as objects, each checked when built; ``str()`` gives its text form.

:mod:`parse_dfl.overlays.topologies` makes edges of them.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, ClassVar, Self

from parse_dfl.errors import ConfigError, unknown
from parse_dfl.settings import Settings, setting, settings_of
from parse_dfl.text import real, whole
from parse_dfl.text_form import TextForm, number_text


class TopologyRule(TextForm, Settings):
    """A rule that says who is whose neighbour on every branch's overlay.

    The text form is the name, then the parameters: ``ring``, ``small-world:4:0.1``.
    """

    example: ClassVar[str] = "Regular(degree=4)"

    @classmethod
    def from_string(cls, text: str) -> Self:
        """Read the text form.

        Raises:
            ConfigError: an unknown name (the nearest are offered) or a bad parameter.
        """
        name, _, rest = text.strip().partition(":")
        if name not in TOPOLOGY_RULES:
            raise unknown("topology", name, set(TOPOLOGY_RULES) - {OwnTopology.keyword})
        kind = TOPOLOGY_RULES[name]
        if kind in (GraphFile, OwnTopology):
            values: list[Any] = [rest]
        else:
            values = _parameters(kind, text, rest.split(":") if rest else [])
        made = kind(*values)
        assert isinstance(made, cls)
        return made

    def __str__(self) -> str:
        values = [getattr(self, field.name) for field in fields(self)]
        return ":".join(
            [self.keyword, *(number_text(value) for value in values if value is not None)]
        )


def _parameters(kind: type[TopologyRule], text: str, parts: list[str]) -> list[Any]:
    names = list(settings_of(kind))
    if len(parts) > len(names):
        takes = " and ".join(names) or "no parameter"
        raise ConfigError(f"topology {text!r} has too many parameters; it takes {takes}")
    values: list[Any] = []
    for name, part in zip(names, parts, strict=False):
        number = whole(part)
        values.append(real(part) if number is None else number)
        if values[-1] is None:
            raise ConfigError(f"{part!r} is no {name} for topology {text!r}; write a number")
    return values


class Ring(TopologyRule):
    """Two neighbours each."""

    keyword: ClassVar[str] = "ring"


class ChordalRing(TopologyRule, kw_only=False):
    """A ring with chords of length ``chord`` (None: the root of the number of members)."""

    keyword: ClassVar[str] = "chordal-ring"
    chord: int | None = setting(None, at_least=2)


class Regular(TopologyRule, kw_only=False):
    """A random graph in which everybody has ``degree`` neighbours."""

    keyword: ClassVar[str] = "regular"
    degree: int = setting(4, at_least=2)


class ErdosRenyi(TopologyRule, kw_only=False):
    """Link every two members with ``probability``."""

    keyword: ClassVar[str] = "erdos-renyi"
    probability: float = setting(0.3, at_least=0.001, at_most=1)


def _check_even(degree: int) -> None:
    if degree % 2:
        raise ConfigError(f"degree of small-world must be even, not {degree}")


class SmallWorld(TopologyRule, kw_only=False):
    """A ring lattice of ``degree`` neighbours whose edges are rewired with ``probability``."""

    keyword: ClassVar[str] = "small-world"
    degree: int = setting(4, at_least=2, check=_check_even)
    probability: float = setting(0.1, at_least=0, at_most=1)


class ScaleFree(TopologyRule, kw_only=False):
    """Members join one by one with ``links`` edges each, rather to those that have many."""

    keyword: ClassVar[str] = "scale-free"
    links: int = setting(2, at_least=1)


class Exponential(TopologyRule):
    """Neighbours at distances 1, 2, 4, … both ways."""

    keyword: ClassVar[str] = "exponential"


class OnePeerExponential(TopologyRule):
    """One neighbour a round, a power of two further each time; directed."""

    keyword: ClassVar[str] = "one-peer-exponential"


class RandomMatching(TopologyRule):
    """A fresh random matching every round."""

    keyword: ClassVar[str] = "random-matching"


class Complete(TopologyRule):
    """Everybody with everybody."""

    keyword: ClassVar[str] = "full"


class GraphFile(TopologyRule, kw_only=False):
    """The graph of an edge-list file, two agents' names a line."""

    keyword: ClassVar[str] = "file"
    path: str = setting("")

    def __str__(self) -> str:
        return f"{self.keyword}:{self.path}"


class OwnTopology(TopologyRule, kw_only=False):
    """A graph or topology of the user's own, which only a program can hand over."""

    keyword: ClassVar[str] = "own"
    name: str = setting("")

    def __str__(self) -> str:
        return f"{self.keyword}:{self.name}"


TOPOLOGY_RULES: dict[str, type[TopologyRule]] = {
    kind.keyword: kind
    for kind in (
        Ring,
        ChordalRing,
        Regular,
        ErdosRenyi,
        SmallWorld,
        ScaleFree,
        Exponential,
        OnePeerExponential,
        RandomMatching,
        Complete,
        GraphFile,
        OwnTopology,
    )
}
"""Name → rule."""
