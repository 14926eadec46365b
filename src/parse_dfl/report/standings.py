"""How all methods stand in one cell: a comparison, seen as a whole or for one agent group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from parse_dfl.report.diverged import converged
from parse_dfl.report.labels import labels_of
from parse_dfl.report.records import Collection, Comparison
from parse_dfl.report.statistics import UPPER_BOUND, gap_closed, is_rival

MEAN = "mean"
"""The scope of all agents; other scopes are modality sets."""

KINDS = (MEAN, "unimodal", "multimodal")


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Every method's accuracies, in the order of its ``seeds``, in one comparison and scope."""

    comparison: str
    scope: str
    values: Mapping[str, tuple[float, ...]]
    seeds: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    diverged: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """The family that the scope belongs to: the mean, or uni- or multimodal agents."""
        if self.scope == MEAN:
            return MEAN
        return "multimodal" if "+" in self.scope else "unimodal"

    @property
    def means(self) -> dict[str, float]:
        """Each method's mean over seeds."""
        return {name: float(np.mean(values)) for name, values in self.values.items()}

    @property
    def rivals(self) -> list[str]:
        """The rivals, the highest mean first."""
        means = self.means
        return sorted(filter(is_rival, means), key=lambda name: -means[name])

    def paired(self, one: str, other: str) -> tuple[list[float], list[float]]:
        """The two methods' values for the seeds that both have, in the same order."""
        by_seed = [
            dict(zip(self.seeds.get(name, range(len(values))), values, strict=False))
            for name, values in ((name, self.values[name]) for name in (one, other))
        ]
        common = [seed for seed in by_seed[0] if seed in by_seed[1]]
        return [by_seed[0][seed] for seed in common], [by_seed[1][seed] for seed in common]

    def gap_closed(self, method: str) -> float | None:
        """Of the means over seeds; None without local and oracle, or where the gap is small."""
        means = self.means
        if method not in means or "local" not in means or UPPER_BOUND not in means:
            return None
        return gap_closed(means[method], local=means["local"], oracle=means[UPPER_BOUND])


def standings_of(record: Comparison | Collection) -> list[Standing]:
    """Every cell of a record: comparison by comparison the mean, then each modality set."""
    if isinstance(record, Comparison):
        return _standings(record, record.data)
    pairs = zip(record.comparisons, labels_of(record), strict=True)
    return [standing for comparison, label in pairs for standing in _standings(comparison, label)]


def of_kind(standings: Sequence[Standing], kind: str) -> list[Standing]:
    """The standings of one family."""
    return [standing for standing in standings if standing.kind == kind]


def _standings(comparison: Comparison, label: str) -> list[Standing]:
    """Methods that have diverged are named; their values are no values."""
    lost, comparison = comparison.diverged, converged(comparison)
    means = {name: result.mean_accuracy for name, result in comparison.methods.items()}
    seeds = {name: result.seeds for name, result in comparison.methods.items()}
    groups = [
        Standing(
            comparison=label,
            scope=group,
            seeds=seeds,
            diverged=lost,
            values={
                name: result.groups[group]
                for name, result in comparison.methods.items()
                if group in result.groups
            },
        )
        for group in comparison.groups
    ]
    mean = Standing(comparison=label, scope=MEAN, values=means, seeds=seeds, diverged=lost)
    return [mean, *groups]
