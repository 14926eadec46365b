"""What slices hold in numbers: means over agents, and bits.

Bits: the decomposition of two representations about the label, from the probes' scores.

The estimator is BATCH (:mod:`parse_dfl.analysis.pid.batch`); its three classifiers are the probes,
fitted on other samples than those that are decomposed, and calibrated as the estimator's own are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parse_dfl.analysis.pid.classifiers import Readings, calibrated
from parse_dfl.analysis.pid.estimation import decompose


def mean(values: Sequence[Any]) -> Any:
    """The mean of numbers, or of the entries that all dictionaries have; None where one is None."""
    if isinstance(values[0], Mapping):
        shared = [name for name in values[0] if all(name in value for value in values)]
        return {name: mean([value[name] for value in values]) for name in shared}
    return None if None in values else fmean(values)


def mean_decomposition(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The mean bits of decompositions, and every warning of theirs, once."""
    return {
        "bits": mean([one["bits"] for one in found]),
        "values": [one["bits"] for one in found],
        "ci95": [one["ci95"] for one in found],
        "warnings": list(dict.fromkeys(text for one in found for text in one["warnings"])),
    }


Array = NDArray[np.float32]
BOOTSTRAP = 200


def bits(
    scores: tuple[Array, Array, Array],
    label: NDArray[np.int64],
    names: tuple[str, str],
    *,
    groups: NDArray[np.int64] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """The decomposition as in ``parse-dfl pid --out``.

    Args:
        scores: class scores read from the first, the second and both, each (samples, classes).
        label: shape (samples,).
        names: of the two modalities.
        groups: samples of one group are resampled together.
        seed: of batches and resamples.
    """
    classes, present = np.unique(label, return_inverse=True)
    first, second, both = (each[:, classes].astype(np.float64) for each in scores)
    readings = Readings(
        first=calibrated([first], present),
        second=calibrated([second], present),
        joint=calibrated([both, first, second], present),
        label=present.astype(np.int64),
    )
    found = decompose(readings, names=names, groups=groups, bootstrap=BOOTSTRAP, seed=seed)
    return found.to_dict()
