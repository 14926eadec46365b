"""What all measures of an audit share: the probes' readings, the label, the parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parse_dfl.analysis.probing.bits import bits
from parse_dfl.analysis.probing.parts import Places
from parse_dfl.analysis.probing.probes import Readings

LABEL = "label"
"""The target of the probes beside the true factors."""


@dataclass(frozen=True, kw_only=True)
class Material:
    """Readings of every representation, and the samples that they are of.

    ``label`` and ``subject`` (None: the set has none) have shape (samples,), over the fitted, the
    tuned and the reported samples.
    """

    readings: Readings
    label: NDArray[np.int64]
    subject: NDArray[np.int64] | None
    places: Places
    steps: int
    seed: int
    doubts: dict[str, None] = field(default_factory=dict)
    """The warnings of all decompositions, each once."""

    def accuracy(self, agent: str, name: str) -> Mapping[str, float]:
        """How often each target is read right from an agent's representation."""
        return self.readings.accuracy[f"{agent}/{name}"]

    def noiseless(self, agent: str, name: str) -> Mapping[str, float] | None:
        """The same without the channel's noise; None where there is none."""
        return self.readings.accuracy.get(f"{agent}/noiseless/{name}")

    def bits(self, names: tuple[str, str, str], modalities: tuple[str, str]) -> dict[str, Any]:
        """The decomposition of the representations called ``names``: one modality's, the other's
        and both."""
        first, second, both = (self.readings.scores[name] for name in names)
        found = bits(
            (first, second, both),
            self.label[self.places.report],
            modalities,
            groups=None if self.subject is None else self.subject[self.places.report],
            seed=self.seed,
        )
        self.doubts.update(dict.fromkeys(found["warnings"]))
        return found
