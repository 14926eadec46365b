"""``digits``: scikit-learn's handwritten digits, each image seen in parts by several cameras.

1797 images of 8 x 8 pixels, 10 classes, bundled with scikit-learn: real, offline, instant.
Source: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI 80, 1998.
"""

from __future__ import annotations

import numpy as np

from parse_dfl.data.dataset import MultimodalData
from parse_dfl.data.mapping import from_mapping
from parse_dfl.errors import DataError
from parse_dfl.modalities import Kind

PARTS = (2, 4, 8)
"""Numbers of equal horizontal bands that eight rows can be cut into."""

_BRIGHTEST = 16.0


def digits(parts: int = 2) -> MultimodalData:
    """The digits cut into horizontal bands, from the top.

    Two parts are called ``top`` and ``bottom``, more ``part1``, ``part2``, …; each is a vector
    of 64 / ``parts`` pixels between 0 and 1.

    Raises:
        DataError: ``parts`` does not divide the eight rows.
    """
    if parts not in PARTS:
        raise DataError(f"digits cannot be cut into {parts} parts; use one of 2, 4, 8")
    from sklearn.datasets import load_digits  # slow to import, and only needed here

    bundle = load_digits()
    pixels = np.asarray(bundle.images, dtype=np.float32).reshape(-1, 64) / _BRIGHTEST
    names = ("top", "bottom") if parts == 2 else [f"part{part + 1}" for part in range(parts)]
    bands = np.split(pixels, parts, axis=1)
    return from_mapping(
        "digits" if parts == 2 else f"digits:{parts}",
        dict(zip(names, bands, strict=True)),
        np.asarray(bundle.target),
        kinds=dict.fromkeys(names, Kind.VECTOR),
    )


def digits_from_text(parts: str) -> MultimodalData:
    """The digits by the text after ``digits:``, such as ``"4"`` (empty: two halves).

    Raises:
        DataError: the text is not one of the allowed numbers of parts.
    """
    if parts and not parts.isdecimal():
        raise DataError(f"digits cannot be cut into {parts!r} parts; use one of 2, 4, 8")
    return digits(int(parts or 2))
