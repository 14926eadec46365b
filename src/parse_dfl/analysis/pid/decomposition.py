"""What an estimate says: four atoms in bits, their intervals, and what to think of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
