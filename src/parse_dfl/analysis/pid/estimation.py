"""Estimate a decomposition: check the input, choose an estimator, and judge its result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from parse_dfl.agents import Kind
from parse_dfl.analysis.pid import AUTO, METHODS
from parse_dfl.analysis.pid.decomposition import (
    Bits,
    Codes,
    Decomposition,
    Estimate,
    bootstrap_intervals,
    calibration_warnings,
    sample_warnings,
)
from parse_dfl.analysis.pid.discrete import MOST_SYMBOLS, as_codes, exact_estimate
from parse_dfl.data.arrays import as_array
from parse_dfl.data.mapping import from_mapping
from parse_dfl.data.splits import OverlappingWindows, reach_of_windows
from parse_dfl.errors import ConfigError, DataError, unknown

if TYPE_CHECKING:
    from parse_dfl.analysis.pid.class_probabilities import ClassProbabilities

FEWEST_SAMPLES = 50
"""Fewer cannot be parted into folds that train anything."""

Names = tuple[str, str]


def estimate(
    a: object,
    b: object,
    label: object,
    *,
    method: str = AUTO,
    names: Names = ("a", "b"),
    groups: object | None = None,
    windows: OverlappingWindows | None = None,
    bootstrap: int = 1000,
    seed: int = 0,
    note: Callable[[str], None] | None = None,
) -> Decomposition:
    """Estimate what two modalities tell about a label: redundant, unique, synergistic bits.

    Args:
        a: the first modality, an array or tensor of shape (samples, ...).
        b: the second, of as many samples.
        label: shape (samples,), integers or text.
        method: ``exact`` counts (whole numbers, one a sample, at most 20 values), ``batch`` and
            ``lsmi`` train classifiers; ``auto`` is ``exact`` where it can be, else ``batch``.
        names: what to call the two modalities.
        groups: shape (samples,): samples of one group (a person, a recording) are never both
            trained on and judged, and are resampled together.
        windows: where overlapping windows lie, to keep them together where there are no groups
            (None: as found in modalities of shape (samples, time, ...), in file order).
        bootstrap: how many resamples the 95 % intervals rest on; 0: no intervals.
        seed: of folds, networks and resamples.
        note: told what is going on where it takes more than a few seconds.

    Raises:
        ConfigError: an unknown method, ``exact`` for continuous data, or names that are equal.
        DataError: arrays that do not fit each other, too few samples, or windows that overlap
            so far that they cannot be parted.
    """
    _check(method, names, bootstrap)
    data = from_mapping(
        "pid",
        dict(zip(names, (a, b), strict=True)),
        label,
        subject=groups,
        kinds=dict.fromkeys(names, Kind.VECTOR),  # a sample's axes do not matter here
    )
    _, present = np.unique(data.label, return_inverse=True)
    kept, windows = _kept_together(data.subject, present, windows or _overlap_of(a, b))
    codes = as_codes(as_array(a)), as_codes(as_array(b))
    if method == AUTO:
        method = "exact" if all(column is not None for column in codes) else "batch"
    if method == "exact":
        result = _exact(codes, present, names)
    else:
        first, second = data.modalities.values()
        probabilities = _probabilities(first, second, present, kept, windows, seed, note)
        result = _learned(probabilities, method, names, seed)
    return _decomposition(result, method, names, present, kept, bootstrap, seed)


def decompose(
    probabilities: ClassProbabilities,
    *,
    method: str = "batch",
    names: Names = ("a", "b"),
    groups: Codes | None = None,
    bootstrap: int = 1000,
    seed: int = 0,
) -> Decomposition:
    """Decompose held-out class probabilities of your own, by ``batch`` or ``lsmi``.

    Args:
        probabilities: of every sample, from each modality and from both, by calibrated
            classifiers that have not seen it.
        method, names, groups, bootstrap, seed: as in :func:`estimate`.
    """
    result = _learned(probabilities, method, names, seed)
    return _decomposition(result, method, names, probabilities.label, groups, bootstrap, seed)


def _check(method: str, names: Names, bootstrap: int) -> None:
    if method != AUTO and method not in METHODS:
        raise unknown("method", method, [AUTO, *METHODS])
    if len(names) != 2 or names[0] == names[1]:
        raise ConfigError(f"names={names!r} must be two different names, one for each modality")
    if bootstrap < 0:
        raise ConfigError(f"bootstrap={bootstrap} must be 0 (no intervals) or more resamples")


def _overlap_of(*modalities: object) -> OverlappingWindows | None:
    """Find the overlap of samples in file order, as windows of a recording have."""
    arrays = [as_array(values) for values in modalities]
    reach = max((reach_of_windows(array) for array in arrays if array.ndim > 2), default=0)
    return OverlappingWindows(position=np.arange(len(arrays[0])), reach=reach) if reach else None


def _kept_together(
    groups: Codes | None, label: Codes, windows: OverlappingWindows | None
) -> tuple[Codes | None, OverlappingWindows | None]:
    """Return the groups by which samples are parted.

    Overlapping windows need some of their own where none are given.
    """
    if windows is None or (groups is not None and len(np.unique(groups)) > 1):
        return groups, None
    parts = windows.groups(label)
    if len(np.unique(parts)) < 2:
        raise DataError(
            f"each sample overlaps with {windows.reach} on either side: {len(label)} are too few "
            "to part; give more, or groups that tell recordings apart"
        )
    return parts, windows


def _exact(codes: tuple[Codes | None, Codes | None], label: Codes, names: Names) -> Estimate:
    first, second = codes
    if first is None or second is None:
        name = names[0 if first is None else 1]
        raise ConfigError(
            f"method 'exact' counts whole numbers, one a sample, of at most {MOST_SYMBOLS} "
            f"values, which modality {name!r} is not; use batch or lsmi"
        )
    return exact_estimate(first, second, label)


def _probabilities(
    first: NDArray[Any],
    second: NDArray[Any],
    label: Codes,
    groups: Codes | None,
    windows: OverlappingWindows | None,
    seed: int,
    note: Callable[[str], None] | None,
) -> ClassProbabilities:
    if len(label) < FEWEST_SAMPLES:
        raise DataError(
            f"{len(label)} samples are too few to train classifiers on; {FEWEST_SAMPLES} are the "
            "least"
        )
    from parse_dfl.analysis.pid.class_probabilities import ClassProbabilities, features

    if note:
        note(f"training classifiers on {len(label)} samples; this can take a minute")
    inputs = features(first, seed), features(second, seed)
    return ClassProbabilities.fit(*inputs, label, groups=groups, windows=windows, seed=seed)


def _learned(probabilities: ClassProbabilities, method: str, names: Names, seed: int) -> Estimate:
    from parse_dfl.analysis.pid.continuous import batch_estimate, lsmi_estimate

    estimator = batch_estimate if method == "batch" else lsmi_estimate
    result = estimator(probabilities, seed)
    warnings = (
        *sample_warnings(probabilities.label),
        *calibration_warnings(probabilities, names),
        *result.warnings,
    )
    return replace(result, warnings=warnings)


def _decomposition(
    result: Estimate,
    method: str,
    names: Names,
    label: Codes,
    groups: Codes | None,
    bootstrap: int,
    seed: int,
) -> Decomposition:
    atoms = result.atoms(result.information)
    ci95: dict[str, Any] = {}
    if bootstrap:
        redundant, unique_first, unique_second, synergistic, total = bootstrap_intervals(
            result, resamples=bootstrap, groups=groups, seed=seed
        )
        ci95 = {
            "redundant": redundant,
            "unique": dict(zip(names, (unique_first, unique_second), strict=True)),
            "synergistic": synergistic,
            "total": total,
        }
    first, second = names
    return Decomposition(
        bits=Bits(
            redundant=float(atoms.redundant),
            unique={first: float(atoms.unique_first), second: float(atoms.unique_second)},
            synergistic=float(atoms.synergistic),
        ),
        ci95=ci95,
        method=method,
        samples=len(label),
        classes=int(label.max()) + 1,
        warnings=result.warnings,
        per_sample=result.per_sample,
    )
