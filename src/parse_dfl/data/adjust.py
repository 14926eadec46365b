"""What a user may ask of a loaded set: modalities that it has, other kinds, another subject."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from parse_dfl.data.arrays import subject_column
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.data.kinds import arrange
from parse_dfl.data.mapping import kinds_by_key
from parse_dfl.errors import DataError, nearest


def require(data: MultimodalData, modalities: Iterable[str]) -> None:
    """Check that ``data`` have all of ``modalities``.

    Raises:
        DataError: one is missing; the nearest names and all of them are given.
    """
    for modality in modalities:
        if modality not in data.modalities:
            column = " (it is a column of one value a sample)" if modality in data.keys else ""
            if modality in data.ignored:
                column = f" (it is ignored: {data.ignored[modality]})"
            raise DataError(
                f"data set {data.name!r} has no modality {modality!r}{column}"
                f"{nearest(modality, data.modalities)}"
            )


def with_kinds(data: MultimodalData, kinds: Mapping[str, str]) -> MultimodalData:
    """The same data with the ``kinds`` of some modalities declared by the user.

    Raises:
        DataError: an unknown modality or kind, or samples that cannot be laid out so.
    """
    declared = kinds_by_key(kinds)
    require(data, declared)
    changed = {name: arrange(name, data.modalities[name], kind) for name, kind in declared.items()}
    return replace(
        data,
        modalities={**data.modalities, **{name: each.values for name, each in changed.items()}},
        kinds={**data.kinds, **{name: each.kind for name, each in changed.items()}},
        layouts={**data.layouts, **{name: each.layout for name, each in changed.items()}},
        guesses={
            **{name: note for name, note in data.guesses.items() if name not in changed},
            **{name: each.note for name, each in changed.items() if each.note},
        },
    )


def with_subject(data: MultimodalData, key: str) -> MultimodalData:
    """The same data with column ``key`` saying who a sample comes from.

    Raises:
        DataError: no such column, or one that is neither integers nor text.
    """
    if key == "subject" and data.subject is not None:
        return data
    if key not in data.keys:
        why = f" (it is ignored: {data.ignored[key]})" if key in data.ignored else ""
        raise DataError(
            f"data set {data.name!r} has no column {key!r}{why}{nearest(key, data.keys)}"
        )
    subject, names = subject_column(key, data.keys[key], data.samples)
    return replace(data, subject=subject, subject_names=names)
