"""Compute redundant, unique and synergistic bits from mutual informations, and warn about them.

The four atoms have three known sums: R + U1 = I(X1;Y), R + U2 = I(X2;Y) and
R + U1 + U2 + S = I(X1,X2;Y).  One more number fixes them; here it is the *union* information
R + U1 + U2, the least I_Q(X1,X2;Y) of all Q that agree with P on (X1,Y) and (X2,Y).

The warnings at the end say why an estimate should not be trusted, a sentence each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from parse_dfl.analysis.pid.class_probabilities import ClassProbabilities

Table = NDArray[np.float64]
Codes = NDArray[np.int64]  # shape=(samples,), whole numbers from 0: classes, symbols, groups
Interval = tuple[float, float]

PERCENTILES = (2.5, 97.5)

FEWEST_SAMPLES = 500
FEWEST_PER_CLASS = 25
LARGEST_BIAS_BITS = 0.02
LARGEST_GAP_BITS = 0.05
LARGEST_MISCALIBRATION = 0.08
"""With a thousand samples, chance alone makes it 0.02 to 0.05."""
LARGEST_SHORTFALL_BITS = 0.05
LARGEST_MOVE_BITS = 0.1
BINS = 15


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
        """Return the atoms, none negative.

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

    def within_bounds(self) -> Information:
        """Return this with the nearest union for which no atom is negative."""
        most = min(self.first + self.second, self.joint)
        return self._replace(union=max(min(self.union, most), self.first, self.second))


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The result of an estimator.

    Attributes:
        information: the point estimate.
        pointwise: each sample's part in it, shape (samples, 4), in the order of
            :class:`Information`.
        warnings: why the numbers should not be trusted, a sentence each.
        atoms: how the atoms follow from the information.
        per_sample: each sample's atoms, shape (samples, 4), where the estimator has them.
    """

    information: Information
    pointwise: Table
    warnings: tuple[str, ...]
    atoms: Callable[[Information], Atoms] = Information.atoms
    per_sample: Table | None = None


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
        """Return I(X;Y) of ``modality`` alone: its redundant and unique bits."""
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
    per_sample: Table | None = field(default=None, repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the estimate as JSON values, in the layout of ``parse-dfl pid --out``."""
        ci95 = {
            name: {modality: list(interval) for modality, interval in value.items()}
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


def entropy(probabilities: Table) -> float:
    """Return H in bits of ``probabilities``, any shape, summing to 1."""
    positive = probabilities[probabilities > 0]
    return float(-(positive * np.log2(positive)).sum())


def mutual_information(joint: Table) -> float:
    """Return I(X;Y) in bits of ``joint``, shape (x, y), summing to 1."""
    return entropy(joint.sum(axis=1)) + entropy(joint.sum(axis=0)) - entropy(joint)


def bootstrap_intervals(
    estimate: Estimate, *, resamples: int, groups: Codes | None, seed: int
) -> list[Interval]:
    """Return the 95 % interval of each of the four atoms, then of their total, in bits.

    Each of the four informations is a mean over samples: of log p(y|x)/p(y) for the three
    mutual informations, of log2 u + log2 v - log2 p(y) for the union, whose derivative by the
    distribution the dual variables are.  Resampling the samples' four columns together thus
    resamples the estimate to first order, without training or solving anything again.  What a
    new training of the classifiers would change is not in the interval.

    Args:
        estimate: the point estimate and each sample's part in it.
        resamples: how many bootstrap samples are drawn.
        groups: whole groups are drawn instead of samples; shape (samples,), or None.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    pointwise = estimate.pointwise
    units = (
        np.arange(len(pointwise)) if groups is None else np.unique(groups, return_inverse=True)[1]
    )
    count = int(units.max()) + 1
    sums = np.stack([np.bincount(units, column) for column in pointwise.T], axis=1)
    sizes = np.bincount(units)
    rows = []
    for _ in range(resamples):
        times = np.bincount(rng.integers(0, count, count), minlength=count)
        shift = times @ sums / (times @ sizes) - pointwise.mean(axis=0)
        rows.append(estimate.atoms(Information(*(np.array(estimate.information) + shift))))
    table = np.array(rows)
    table = np.column_stack([table, table.sum(axis=1)])
    low, high = np.percentile(table, PERCENTILES, axis=0)
    return [(float(least), float(most)) for least, most in zip(low, high, strict=True)]


def count_warnings(joint: Table, samples: int, gap_bits: float) -> Iterator[str]:
    """Warn about an exact decomposition of counted frequencies, shape (x1, x2, y)."""
    bias = plug_in_bias(joint, samples)
    if bias > LARGEST_BIAS_BITS:
        yield (
            f"{samples} samples over {int((joint > 0).sum())} occurring combinations: counting "
            f"overstates the total by about {bias:.2f} bits, most of it as synergy; "
            "merge values or add samples"
        )
    if gap_bits > LARGEST_GAP_BITS:
        yield _unsolved(gap_bits)


def plug_in_bias(joint: Table, samples: int) -> float:
    """Return by how many bits counted frequencies overstate I(X1,X2;Y), to first order.

    Miller, "Note on the bias of information estimates", 1955: a degree of freedom of the test
    of independence adds 1 / (2 n ln 2).
    """
    pairs = int((joint.sum(axis=2) > 0).sum())
    classes = int((joint.sum(axis=(0, 1)) > 0).sum())
    return (pairs - 1) * (classes - 1) / (2 * samples * float(np.log(2)))


def sample_warnings(label: NDArray[np.int64]) -> Iterator[str]:
    """Warn where there are too few samples to train classifiers on."""
    samples, rarest = len(label), int(np.bincount(label).min())
    if samples < FEWEST_SAMPLES:
        yield (
            f"only {samples} samples: classifiers trained on so few miss information; "
            f"{FEWEST_SAMPLES} or more are better"
        )
    if rarest < FEWEST_PER_CLASS:
        yield (
            f"{int(label.max()) + 1} classes, the rarest with {rarest} samples: too few to tell "
            f"what belongs to it; merge classes or have {FEWEST_PER_CLASS} samples of each"
        )


def calibration_warnings(
    probabilities: ClassProbabilities, names: tuple[str, str]
) -> Iterator[str]:
    """Warn about classifiers whose confidence is not their accuracy."""
    named = {
        names[0]: probabilities.first,
        names[1]: probabilities.second,
        "both": probabilities.joint,
    }
    for name, log_p in named.items():
        error = calibration_error(log_p, probabilities.label)
        if error > LARGEST_MISCALIBRATION:
            yield (
                f"the classifier of {name} is poorly calibrated (its confidence is off by "
                f"{100 * error:.0f} points on average)"
            )


def union_warnings(information: Information, gap_bits: float) -> Iterator[str]:
    """Warn about a union that is not solved, or exceeds what the joint classifier finds."""
    shortfall = information.union - information.joint
    if shortfall > LARGEST_SHORTFALL_BITS:
        yield (
            f"the classifier of both modalities finds {shortfall:.2f} bits less than the two "
            "single ones tell together: synergy and total are too small"
        )
    if gap_bits > LARGEST_GAP_BITS:
        yield _unsolved(gap_bits)


def move_warnings(moved_bits: float) -> Iterator[str]:
    """Warn about a redundancy that had to be moved far so that no atom is negative."""
    if moved_bits > LARGEST_MOVE_BITS:
        yield (
            f"the redundancy was moved by {moved_bits:.2f} bits so that no atom is negative; "
            "compare with --method batch"
        )


def calibration_error(log_p: Table, label: NDArray[np.int64]) -> float:
    """Return the mean distance of confidence and accuracy over bins of confidence, 0 to 1."""
    confidence = np.exp(log_p.max(axis=1))
    right = log_p.argmax(axis=1) == label
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    excess = np.bincount(bins, confidence - right, minlength=BINS)
    return float(np.abs(excess).sum() / len(label))


def _unsolved(gap_bits: float) -> str:
    return f"the least informative joint is only known to within {gap_bits:.2f} bits"
