"""Mutual informations, and the redundant, unique and synergistic bits made of them.

The four atoms have three known sums: R + U1 = I(X1;Y), R + U2 = I(X2;Y) and
R + U1 + U2 + S = I(X1,X2;Y).  One more number fixes them; here it is the *union* information
R + U1 + U2, the least I_Q(X1,X2;Y) of all Q that agree with P on (X1,Y) and (X2,Y).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.float64]


class Atoms(NamedTuple):
    """Redundant, unique of the first and the second, synergistic, in bits."""

    redundant: float
    unique_first: float
    unique_second: float
    synergistic: float


class Information(NamedTuple):
    """I(X1;Y), I(X2;Y), the union information and I(X1,X2;Y), in bits."""

    first: float
    second: float
    union: float
    joint: float

    def atoms(self) -> Atoms:
        """The atoms, none negative.

        In theory max(first, second) ≤ union ≤ min(first + second, joint).  An estimate of the
        union is held within the single modalities' bounds; a joint below it is raised to it.
        """
        first, second = max(self.first, 0.0), max(self.second, 0.0)
        union = min(max(self.union, first, second), first + second)
        return Atoms(
            redundant=first + second - union,
            unique_first=union - second,
            unique_second=union - first,
            synergistic=max(self.joint - union, 0.0),
        )


def entropy(probabilities: Table) -> float:
    """H in bits of ``probabilities``, any shape, summing to 1."""
    positive = probabilities[probabilities > 0]
    return float(-(positive * np.log2(positive)).sum())


def mutual_information(joint: Table) -> float:
    """I(X;Y) in bits of ``joint``, shape (x, y), summing to 1."""
    return entropy(joint.sum(axis=1)) + entropy(joint.sum(axis=0)) - entropy(joint)


Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Bits:
    """The atoms of I(X1,X2;Y), in bits.

    ``unique`` has the two modalities' names as keys, in the order in which they were given.
    """

    redundant: float
    unique: Mapping[str, float]
    synergistic: float

    @property
    def total(self) -> float:
        """I(X1,X2;Y)."""
        return self.redundant + sum(self.unique.values()) + self.synergistic

    def of(self, modality: str) -> float:
        """What ``modality`` alone tells about the label, I(X;Y): its redundant and unique bits."""
        return self.redundant + self.unique[modality]


@dataclass(frozen=True, kw_only=True)
class Decomposition:
    """An estimate of the partial information decomposition of two modalities about a label.

    Attributes:
        bits: the point estimate.
        ci95: the bootstrap's 95 % interval of each atom (redundant, unique per name,
            synergistic, total); empty where no bootstrap was asked for.
        method: the estimator: ``exact``, ``batch`` or ``lsmi``.
        samples: how many samples it rests on.
        classes: how many classes the label has.
        warnings: why the numbers should not be trusted, a sentence each; empty if nothing
            speaks against them.
        per_sample: the pointwise atoms, shape (samples, 4): redundant, unique of the first,
            unique of the second, synergistic; in bits, of either sign (lsmi only).
    """

    bits: Bits
    ci95: Mapping[str, Interval | Mapping[str, Interval]]
    method: str
    samples: int
    classes: int
    warnings: tuple[str, ...] = ()
    per_sample: NDArray[np.float64] | None = field(default=None, repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """The estimate as JSON values, in the layout of ``parse-dfl pid --out``."""
        ci95 = {
            name: {key: list(each) for key, each in value.items()}
            if isinstance(value, Mapping)
            else list(value)
            for name, value in self.ci95.items()
        }
        return {
            "method": self.method,
            "bits": {
                "redundant": self.bits.redundant,
                "unique": dict(self.bits.unique),
                "synergistic": self.bits.synergistic,
                "total": self.bits.total,
            },
            "ci95": ci95 or None,
            "samples": self.samples,
            "classes": self.classes,
            "warnings": list(self.warnings),
        }
