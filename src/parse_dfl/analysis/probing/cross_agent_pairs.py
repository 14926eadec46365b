"""Agents of different modalities: does the one's redundant slice hold what the other knows?

An agent that owns a and one that owns b never meet on a sample, but both can be shown the same
held-out sample, each its own modality.  What the first's slice then predicts of the second's is
what they have in common without ever having shared anything but averaged parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parse_dfl.analysis.probing.agent_outputs import Material, View
from parse_dfl.analysis.probing.predictability import predictability

Array = NDArray[np.float32]

KINDS = ("redundant", "unique")


@dataclass(frozen=True, kw_only=True)
class Across:
    """Two unimodal agents of different modalities."""

    first: View
    second: View

    @property
    def _modalities(self) -> tuple[str, str]:
        return self.first.agent.modalities[0], self.second.agent.modalities[0]

    def _slices(self, *, noiseless: bool = False) -> dict[str, tuple[Array, Array]]:
        """Kind → the first agent's slice and the second's."""
        views = (self.first, self.second)
        values = [each.values(noiseless=noiseless) for each in views]
        found = {}
        for kind in KINDS:
            names = [f"{kind}.{modality}" for modality in self._modalities]
            if all(name in own for name, own in zip(names, values, strict=True)):
                found[kind] = (values[0][names[0]], values[1][names[1]])
        return found

    def _name(self, kind: str) -> str:
        return f"{self.first.agent.name} {self.second.agent.name}/{kind}"

    def representations(self) -> dict[str, Array]:
        """The two agents' slices of a kind side by side, for the probes."""
        return {
            self._name(kind): np.concatenate(both, axis=1) for kind, both in self._slices().items()
        }

    def measures(self, material: Material) -> dict[str, Any]:
        """Bits and predictability of each kind, and what both slices together tell."""
        first, second = self.first.agent.name, self.second.agent.name
        a, b = self._modalities
        kinds: dict[str, Any] = {}
        for kind in self._slices():
            stored = (f"{first}/{kind}.{a}", f"{second}/{kind}.{b}", self._name(kind))
            kinds[kind] = {
                "reads": dict(material.readings.accuracy[self._name(kind)]),
                "bits": material.bits(stored, (a, b)),
                "predictability": self._predictability(kind, material, noiseless=False),
                "noiseless": self._predictability(kind, material, noiseless=True)
                if self.first.is_noisy
                else None,
            }
        return {"agents": [first, second], "modalities": [a, b], "kinds": kinds}

    def _predictability(self, kind: str, material: Material, *, noiseless: bool) -> dict[str, Any]:
        one, other = self._slices(noiseless=noiseless)[kind]
        a, b = self._modalities
        told = predictability(
            {f"{a}>{b}": (one, other), f"{b}>{a}": (other, one)},
            material.label,
            material.places,
            steps=material.steps,
            seed=material.seed,
        )
        return {way: asdict(found) for way, found in told.items()}


def encounters(views: Sequence[View]) -> list[Across]:
    """Unimodal agents of each two modalities, the first with the first, and so on."""
    by_modality: dict[str, list[View]] = {}
    for each in views:
        if len(each.agent.modalities) == 1:
            by_modality.setdefault(each.agent.group, []).append(each)
    return [
        Across(first=one, second=other)
        for a, b in combinations(sorted(by_modality), 2)
        for one, other in zip(by_modality[a], by_modality[b], strict=False)
    ]
