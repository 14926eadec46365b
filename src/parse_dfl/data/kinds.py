"""The kinds of modality, told from the shape of one sample."""

from __future__ import annotations

from enum import StrEnum

from parse_dfl.errors import DataError

LONGEST_CHANNEL_AXIS = 16
"""A 2-d sample whose second axis is at most this is a series (time, channels), else an image."""


class Kind(StrEnum):
    """How a modality's samples are laid out, which decides its default encoder."""

    VECTOR = "vector"  # (features,)
    SERIES = "series"  # (time, channels)
    IMAGE = "image"  # (height, width) or (height, width, channels)
    VIDEO = "video"  # (frames, height, width) or (frames, height, width, channels)


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
