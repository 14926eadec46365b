"""Topologies as objects: each is checked when it is built, and ``str()`` gives its text form.

What their parameters may be is known to :mod:`parse_dfl.overlays.topologies` alone.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar

from parse_dfl.api.text import number
from parse_dfl.errors import ConfigError
from parse_dfl.overlays.topologies import parse_topology


@dataclass(frozen=True)
class NamedTopology:
    """A rule that says who is whose neighbour on every branch's overlay."""

    base: ClassVar[str]

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if value is not None and not is_number:
                raise ConfigError(
                    f"{field.name} of {type(self).__name__} must be a number, not {value!r}"
                )
        parse_topology(str(self))

    def __str__(self) -> str:
        values = [getattr(self, field.name) for field in fields(self)]
        given = [number(value) for value in values if value is not None]
        return ":".join([self.base, *given])


@dataclass(frozen=True)
class Ring(NamedTopology):
    """Two neighbours each."""

    base: ClassVar[str] = "ring"


@dataclass(frozen=True)
class ChordalRing(NamedTopology):
    """A ring with chords of length ``chord`` (None: the root of the number of members)."""

    base: ClassVar[str] = "chordal-ring"
    chord: int | None = None


@dataclass(frozen=True)
class Regular(NamedTopology):
    """A random graph in which everybody has ``degree`` neighbours."""

    base: ClassVar[str] = "regular"
    degree: int = 4


@dataclass(frozen=True)
class ErdosRenyi(NamedTopology):
    """Link every two members with ``probability``."""

    base: ClassVar[str] = "erdos-renyi"
    probability: float = 0.3


@dataclass(frozen=True)
class SmallWorld(NamedTopology):
    """A ring lattice of ``degree`` neighbours whose edges are rewired with ``probability``."""

    base: ClassVar[str] = "small-world"
    degree: int = 4
    probability: float = 0.1


@dataclass(frozen=True)
class ScaleFree(NamedTopology):
    """Members join one by one with ``links`` edges each, rather to those that have many."""

    base: ClassVar[str] = "scale-free"
    links: int = 2


@dataclass(frozen=True)
class Exponential(NamedTopology):
    """Neighbours at distances 1, 2, 4, … both ways."""

    base: ClassVar[str] = "exponential"


@dataclass(frozen=True)
class OnePeerExponential(NamedTopology):
    """One neighbour a round, a power of two further each time; directed."""

    base: ClassVar[str] = "one-peer-exponential"


@dataclass(frozen=True)
class RandomMatching(NamedTopology):
    """A fresh random matching every round."""

    base: ClassVar[str] = "random-matching"


@dataclass(frozen=True)
class Complete(NamedTopology):
    """Everybody with everybody."""

    base: ClassVar[str] = "full"
