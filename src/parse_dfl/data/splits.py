"""Split a data set into training, validation and test part, alike for every partition and seed.

The test part is what ``--test`` says:

``auto``          the set's ``is_test``; else 20 % of its subjects; else a stratified 20 %
``is_test``       the set's own test part
``subject:3,7``   these subjects (by number, or by name where the set names them)
``fraction:0.2``  this share of the samples, stratified over classes, whoever they come from

The validation part is a further 20 % of the training part: of its subjects where no subject is
in both the training and the test part, else stratified.  Overlapping windows never straddle a
stratified cut: where neighbours in the file overlap, a contiguous run of each class is held out
and the windows that reach into it are left out of all parts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parse_dfl.agents import Kind
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.errors import ConfigError, DataError, nearest, unknown
from parse_dfl.text import real

Indices = NDArray[np.int64]
"""Positions of samples in a data set, ascending."""

Cut = tuple[Indices, Indices]
"""What is kept, and what is held out."""

SPLIT_SEED = 0
"""Not the run's seed: all runs are judged on the same samples."""

HELD_OUT = 0.2
"""The share of subjects or samples in the test part, and of the rest in the validation part."""

_RULES = ("auto", "is_test", "subject", "fraction")

LEAST_SHARE = 0.1
"""Windows count as overlapping if this share of all neighbours in the file overlap alike; less
is coincidence."""


def reach(data: MultimodalData) -> int:
    """Count the samples after one, in file order, that share some of its time steps.

    Looks at series and videos whose windows lie in the file in time order: window i + 1 begins
    with what window i holds from step p on.  Shuffled windows are not recognised.
    """
    return max(
        (
            reach_of_windows(values)
            for name, values in data.modalities.items()
            if data.kinds[name] in (Kind.SERIES, Kind.VIDEO)
        ),
        default=0,
    )


def reach_of_windows(windows: NDArray[Any]) -> int:
    """Return the reach of windows, shape (samples, time, ...), in file order."""
    windows = windows.reshape(*windows.shape[:2], -1)
    before, after = windows[:-1], windows[1:]
    least, length = max(1, LEAST_SHARE * len(before)), int(windows.shape[1])
    for step in range(1, length):
        alike = (before[:, step] == after[:, 0]).all(axis=-1).nonzero()[0]
        if len(alike) < least:
            continue
        tail, head = before[alike, step:], after[alike, : length - step]
        moving = (head != head[:, :1]).any(axis=(1, 2))
        if ((tail == head).all(axis=(1, 2)) & moving).sum() >= least:
            return math.ceil(length / step) - 1
    return 0


def _within_reach(inside: NDArray[np.bool_], span: int) -> NDArray[np.bool_]:
    """Return the mask of all that overlaps what is ``inside``, in file order, with itself."""
    near = inside.copy()
    for step in range(1, span + 1):
        near[step:] |= inside[:-step]
        near[:-step] |= inside[step:]
    return near


@dataclass(frozen=True, kw_only=True)
class OverlappingWindows:
    """Samples that share time steps with up to ``reach`` samples before and after them.

    ``position``, shape=(samples,), says where each lies in file order.
    """

    position: Indices
    reach: int

    def groups(self, label: Indices) -> Indices:
        """Return a group of neighbours for each sample, by which folds and resamples are made.

        Groups are as long as leaves every class in several, at most eight reaches: longer ones
        would only make folds uneven, shorter ones leave much within reach of a border.
        """
        _, counts = np.unique(label, return_counts=True)
        length = int(np.clip(counts.min() // 4, 2 * self.reach, 8 * self.reach))
        return self.position // length

    def overlap(self, chosen: Indices) -> NDArray[np.bool_]:
        """Mark samples that share time steps with the ``chosen`` ones, shape=(samples,)."""
        inside = np.zeros(int(self.position.max()) + 1, dtype=np.bool_)
        inside[self.position[chosen]] = True
        return _within_reach(inside, self.reach)[self.position]


@dataclass(frozen=True, kw_only=True)
class Split:
    """Positions of the samples of each part; no sample is in two parts."""

    train: Indices
    validation: Indices
    test: Indices


def split(data: MultimodalData, test: str = "auto") -> Split:
    """Split the data into training, validation and test part as ``test`` says.

    Raises:
        ConfigError: ``test`` is no rule of the above.
        DataError: the rule does not suit the data (no ``is_test``, no such subject), or leaves
            the training part without one of the classes.
    """
    rng = np.random.default_rng(SPLIT_SEED)
    rest, held = _test_part(data, test, rng)
    if not len(held) or not len(rest):
        part = "test" if not len(held) else "training"
        raise DataError(f"--test {test} leaves the {part} part of {data.name!r} empty")
    _refuse_missing_classes(data, rest, test)
    train, validation = hold_out(data, rest, held, rng)
    _refuse_missing_classes(data, train, test)
    return Split(train=train, validation=validation, test=held)


def _test_part(data: MultimodalData, test: str, rng: np.random.Generator) -> Cut:
    everything = np.arange(data.samples)
    rule, _, argument = test.partition(":")
    match rule:
        case "auto" if not argument:
            if data.is_test is not None:
                return np.flatnonzero(~data.is_test), np.flatnonzero(data.is_test)
            if data.subject is not None and len(np.unique(data.subject)) > 1:
                return _cut_subjects(data, everything, rng)
            return _cut_stratified(data, everything, HELD_OUT, rng)
        case "is_test" if not argument:
            if data.is_test is None:
                raise DataError(f"data set {data.name!r} has no is_test; use --test auto")
            return np.flatnonzero(~data.is_test), np.flatnonzero(data.is_test)
        case "subject" if argument:
            return _named_subjects(data, argument)
        case "fraction":
            return _cut_stratified(data, everything, _share(test, argument), rng)
    if rule in _RULES:
        raise ConfigError(
            f"cannot read --test {test!r}; use auto, is_test, subject:3,7 or fraction:0.2"
        )
    raise unknown("test part", test, _RULES)


def hold_out(data: MultimodalData, rest: Indices, held: Indices, rng: np.random.Generator) -> Cut:
    """Hold out a fifth of ``rest``: of its subjects where none of them is also in ``held`` and no
    class is lost by it, else stratified over classes."""
    if data.subject is not None:
        subjects = np.unique(data.subject[rest])
        apart = not np.isin(data.subject[held], subjects).any()
        if apart and len(subjects) > 1:
            cut = _cut_subjects(data, rest, rng)
            if len(np.unique(data.label[cut[0]])) == len(np.unique(data.label[rest])):
                return cut
    return _cut_stratified(data, rest, HELD_OUT, rng)


def _cut_subjects(data: MultimodalData, pool: Indices, rng: np.random.Generator) -> Cut:
    """Hold out whole subjects, those first without whom every class is still there."""
    assert data.subject is not None
    subjects, who = np.unique(data.subject[pool], return_inverse=True)
    table = np.zeros((len(subjects), data.classes), dtype=np.int64)
    np.add.at(table, (who, data.label[pool]), 1)
    left = table.sum(axis=0)
    present = left > 0
    wanted = max(1, round(HELD_OUT * len(subjects)))
    order = rng.permutation(len(subjects))
    chosen: list[int] = []
    for subject in order:
        if len(chosen) < wanted and ((left - table[subject])[present] > 0).all():
            chosen.append(subject)
            left = left - table[subject]
    inside = np.isin(who, chosen or order[:wanted])
    return pool[~inside], pool[inside]


def _cut_stratified(
    data: MultimodalData, pool: Indices, share: float, rng: np.random.Generator
) -> Cut:
    """Hold out ``share`` of the pool, class by class."""
    span = reach(data)
    counts = _apportion(np.bincount(data.label[pool], minlength=data.classes), share, rng)
    held = []
    for label, count in enumerate(counts):
        members = pool[data.label[pool] == label]
        if span:
            start = rng.integers(len(members) - count + 1)
            held.append(members[start : start + count])
        else:
            held.append(rng.permutation(members)[:count])
    inside = np.zeros(data.samples, dtype=np.bool_)
    inside[np.concatenate(held)] = True
    return pool[~_within_reach(inside, span)[pool]], np.flatnonzero(inside)


def _apportion(members: Indices, share: float, rng: np.random.Generator) -> Indices:
    """Return the number of each class's ``members`` to hold out: at least one of three, never all.

    What rounding down leaves of the total goes to the classes that lost most by it.
    """
    exact = share * members
    counts = np.floor(exact).astype(np.int64)
    order = np.lexsort((rng.random(len(members)), counts - exact))
    counts[order[: round(exact.sum()) - counts.sum()]] += 1
    held: Indices = np.clip(counts, members >= 3, np.maximum(members - 1, 0))
    return held


def _named_subjects(data: MultimodalData, argument: str) -> Cut:
    if data.subject is None:
        raise DataError(
            f"data set {data.name!r} has no subjects; use --subject-key to name a column"
        )
    numbers = {name: number for number, name in enumerate(data.subject_names)}
    numbers = numbers or {str(number): int(number) for number in np.unique(data.subject)}
    asked = [part.strip() for part in argument.split(",")]
    for subject in asked:
        if subject not in numbers:
            raise DataError(
                f"unknown subject {subject!r} of {data.name!r}{nearest(subject, numbers)}"
            )
    inside = np.isin(data.subject, [numbers[subject] for subject in asked])
    return np.flatnonzero(~inside), np.flatnonzero(inside)


def _share(test: str, argument: str) -> float:
    share = real(argument)
    if share is None or not 0 < share < 1:
        raise ConfigError(f"--test {test!r}: the fraction must lie between 0 and 1")
    return share


def _refuse_missing_classes(data: MultimodalData, train: Indices, test: str) -> None:
    counts = np.bincount(data.label[train], minlength=data.classes)
    missing = [data.label_names[label] for label in np.flatnonzero(counts == 0)]
    if missing:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise DataError(
            f"classes missing from the training part of {data.name!r} (--test {test}): "
            f"{', '.join(missing[:5])}{more}"
        )
