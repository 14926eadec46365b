"""One call for every estimator: checks what is given, chooses, and says what to think of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from parse_dfl.agents import Kind
from parse_dfl.analysis.pid import diagnostics
from parse_dfl.analysis.pid.bootstrap import intervals
from parse_dfl.analysis.pid.decomposition import Atoms, Bits, Decomposition, Information, Table
from parse_dfl.analysis.pid.exact import MOST_SYMBOLS, as_symbols, frequencies, pointwise, solve
from parse_dfl.analysis.pid.methods import AUTO, METHODS
from parse_dfl.data.arrays import as_array
from parse_dfl.data.mapping import from_mapping
from parse_dfl.data.splits import OverlappingWindows, reach_of_windows
from parse_dfl.errors import ConfigError, DataError, unknown

if TYPE_CHECKING:
    from parse_dfl.analysis.pid.classifiers import Readings

FEWEST_SAMPLES = 50
"""Fewer cannot be parted into folds that train anything."""

Integers = NDArray[np.int64]


def estimate(
    a: object,
    b: object,
    label: object,
    *,
    method: str = AUTO,
    names: tuple[str, str] = ("a", "b"),
    groups: object | None = None,
    windows: OverlappingWindows | None = None,
    bootstrap: int = 1000,
    seed: int = 0,
    note: Callable[[str], None] | None = None,
) -> Decomposition:
    """What two modalities tell about a label: redundant, unique, synergistic bits.

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
    groups_of, windows = _kept_together(data.subject, present, windows or _overlap_of(a, b))
    task = _Task(names=names, label=present, groups=groups_of, windows=windows, seed=seed)
    symbols = as_symbols(as_array(a)), as_symbols(as_array(b))
    if method == AUTO:
        method = "exact" if all(each is not None for each in symbols) else "batch"
    if method == "exact":
        result = _exact(task, *symbols)
    else:
        first, second = data.modalities.values()
        result = _learned(task, method, first, second, note)
    return _decomposition(task, method, result, bootstrap)


def decompose(
    readings: Readings,
    *,
    method: str = "batch",
    names: tuple[str, str] = ("a", "b"),
    groups: Integers | None = None,
    bootstrap: int = 1000,
    seed: int = 0,
) -> Decomposition:
    """The decomposition by ``batch`` or ``lsmi`` from held-out class probabilities of your own.

    Args:
        readings: calibrated log-probabilities of every sample, from each modality and from both,
            by classifiers that have not seen it.
        method, names, groups, bootstrap, seed: as in :func:`estimate`.
    """
    task = _Task(names=names, label=readings.label, groups=groups, seed=seed)
    return _decomposition(task, method, _of_readings(task, method, readings), bootstrap)


@dataclass(frozen=True, kw_only=True)
class _Task:
    names: tuple[str, str]
    label: Integers
    groups: Integers | None
    windows: OverlappingWindows | None = None
    seed: int


@dataclass(frozen=True, kw_only=True)
class _Result:
    information: Information
    pointwise: Table
    atoms: Callable[[Information], Atoms]
    doubts: tuple[str, ...]
    per_sample: Table | None = None


def _check(method: str, names: tuple[str, str], bootstrap: int) -> None:
    if method != AUTO and method not in METHODS:
        raise unknown("method", method, [AUTO, *METHODS])
    if len(names) != 2 or names[0] == names[1]:
        raise ConfigError(f"names={names!r} must be two different names, one for each modality")
    if bootstrap < 0:
        raise ConfigError(f"bootstrap={bootstrap} must be 0 (no intervals) or more resamples")


def _overlap_of(*modalities: object) -> OverlappingWindows | None:
    """Return how the samples of modalities in file order overlap, as windows of a recording do."""
    arrays = [as_array(values) for values in modalities]
    reach = max((reach_of_windows(array) for array in arrays if array.ndim > 2), default=0)
    return OverlappingWindows(position=np.arange(len(arrays[0])), reach=reach) if reach else None


def _kept_together(
    groups: Integers | None, label: Integers, windows: OverlappingWindows | None
) -> tuple[Integers | None, OverlappingWindows | None]:
    """Return the groups by which samples are parted; overlapping windows need some of their own
    where none are given."""
    if windows is None or (groups is not None and len(np.unique(groups)) > 1):
        return groups, None
    parts = windows.groups(label)
    if len(np.unique(parts)) < 2:
        raise DataError(
            f"each sample overlaps with {windows.reach} on either side: {len(label)} are too few "
            "to part; give more, or groups that tell recordings apart"
        )
    return parts, windows


def _exact(task: _Task, first: Integers | None, second: Integers | None) -> _Result:
    if first is None or second is None:
        name = task.names[0 if first is None else 1]
        raise ConfigError(
            f"method 'exact' counts whole numbers, one a sample, of at most {MOST_SYMBOLS} "
            f"values, which modality {name!r} is not; use batch or lsmi"
        )
    joint = frequencies(first, second, task.label)
    exact = solve(joint)
    return _Result(
        information=exact.information,
        pointwise=pointwise(exact, joint, (first, second, task.label)),
        atoms=Information.atoms,
        doubts=tuple(diagnostics.of_counts(joint, len(task.label), exact)),
    )


def _learned(
    task: _Task,
    method: str,
    first: NDArray[Any],
    second: NDArray[Any],
    note: Callable[[str], None] | None,
) -> _Result:
    if len(task.label) < FEWEST_SAMPLES:
        raise DataError(
            f"{len(task.label)} samples are too few to train classifiers on; "
            f"{FEWEST_SAMPLES} are the least"
        )
    from parse_dfl.analysis.pid.classifiers import read
    from parse_dfl.analysis.pid.features import features

    if note:
        note(f"training classifiers on {len(task.label)} samples; this can take a minute")
    inputs = features(first, task.seed), features(second, task.seed)
    readings = read(*inputs, task.label, groups=task.groups, seed=task.seed, windows=task.windows)
    return _of_readings(task, method, readings)


def _of_readings(task: _Task, method: str, readings: Readings) -> _Result:
    doubts = (*diagnostics.of_samples(task.label), *diagnostics.of_readings(readings, task.names))
    if method == "batch":
        from parse_dfl.analysis.pid.batch import batch_estimate

        batch = batch_estimate(readings, task.seed)
        return _Result(
            information=batch.information,
            pointwise=batch.pointwise,
            atoms=Information.atoms,
            doubts=(*doubts, *diagnostics.of_union(batch.information, batch.gap_bits)),
        )
    from parse_dfl.analysis.pid.lsmi import hold, lsmi_estimate

    lsmi = lsmi_estimate(readings, task.seed)
    return _Result(
        information=lsmi.information,
        pointwise=lsmi.pointwise,
        atoms=lambda information: hold(information).atoms(),
        doubts=(*doubts, *diagnostics.of_move(lsmi.moved_bits)),
        per_sample=lsmi.atoms,
    )


def _decomposition(task: _Task, method: str, result: _Result, bootstrap: int) -> Decomposition:
    atoms = result.atoms(result.information)
    first, second = task.names
    ci95: dict[str, Any] = {}
    if bootstrap:
        redundant, unique_first, unique_second, synergistic, total = intervals(
            result.information,
            result.pointwise,
            result.atoms,
            resamples=bootstrap,
            groups=task.groups,
            seed=task.seed,
        )
        ci95 = {
            "redundant": redundant,
            "unique": {first: unique_first, second: unique_second},
            "synergistic": synergistic,
            "total": total,
        }
    return Decomposition(
        bits=Bits(
            redundant=float(atoms.redundant),
            unique={first: float(atoms.unique_first), second: float(atoms.unique_second)},
            synergistic=float(atoms.synergistic),
        ),
        ci95=ci95,
        method=method,
        samples=len(task.label),
        classes=int(task.label.max()) + 1,
        warnings=result.doubts,
        per_sample=result.per_sample,
    )
