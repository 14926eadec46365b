"""Information of tables of probabilities, in bits, and the atoms that follow from it.

The four atoms have three known sums: R + U1 = I(X1;Y), R + U2 = I(X2;Y) and
R + U1 + U2 + S = I(X1,X2;Y).  One more number fixes them; here it is the *union* information
R + U1 + U2, the least I_Q(X1,X2;Y) of all Q that agree with P on (X1,Y) and (X2,Y).
"""

from __future__ import annotations

from typing import NamedTuple

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
