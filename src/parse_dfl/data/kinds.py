"""The kinds of modality: told from the shape of one sample, or declared."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from parse_dfl.errors import DataError, nearest
from parse_dfl.modalities import Kind

LONGEST_CHANNEL_AXIS = 16
"""A 2-d sample whose second axis is at most this is a series (time, channels), else an image."""


def kind_of_shape(name: str, shape: tuple[int, ...]) -> Kind:
    """The kind of a modality whose samples have ``shape`` (the sample axis not included).

    Raises:
        DataError: no kind has samples of that many axes.
    """
    match len(shape):
        case 1:
            return Kind.VECTOR
        case 2:
            return Kind.SERIES if shape[1] <= LONGEST_CHANNEL_AXIS else Kind.IMAGE
        case 3:
            is_image = shape[2] in (1, 3) and shape[0] == shape[1]
            return Kind.IMAGE if is_image else Kind.VIDEO
        case 4:
            return Kind.VIDEO
    raise DataError(f"modality {name!r} has samples of shape {shape}; 1 to 4 axes can be used")


def arrange(name: str, values: NDArray[Any], declared: str | None) -> tuple[NDArray[Any], Kind]:
    """``values`` (samples, ...) laid out as the ``declared`` kind, or as their shape says.

    Any sample can be read as a vector (flattened) or as a series (its first axis is time, the
    others are flattened into channels); an image or a video must have the axes of one.

    Raises:
        DataError: the kind is unknown, or the samples have too few or too many axes for it.
    """
    shape = values.shape[1:]
    if declared is None:
        return values, kind_of_shape(name, shape)
    kind = _kind_named(name, declared)
    match kind:
        case Kind.VECTOR:
            return values.reshape(len(values), -1), kind
        case Kind.SERIES:
            return values.reshape(len(values), shape[0], -1), kind
    allowed = (2, 3) if kind is Kind.IMAGE else (3, 4)
    if len(shape) not in allowed:
        raise DataError(
            f"modality {name!r} has samples of shape {shape}, which cannot be of kind "
            f"{kind.value!r}: that needs {allowed[0]} or {allowed[1]} axes"
        )
    return values, kind


def _kind_named(modality: str, kind: str) -> Kind:
    known = [each.value for each in Kind]
    if kind not in known:
        raise DataError(f"unknown kind {kind!r} of modality {modality!r}{nearest(kind, known)}")
    return Kind(kind)
