"""``digits``: scikit-learn's handwritten digits, each image seen in parts by several cameras.

1797 images of 8 x 8 pixels, 10 classes, bundled with scikit-learn: real, offline, instant.  Their
file is read without importing the library, which takes seconds in every process.
Source: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI 80, 1998.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from parse_dfl.agents import Kind
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.data.mapping import from_mapping
from parse_dfl.errors import DataError
from parse_dfl.text import whole

PARTS = (2, 4, 8)
"""Numbers of equal horizontal bands that eight rows can be cut into."""

_BRIGHTEST = 16.0
_FILE = "datasets/data/digits.csv.gz"
"""In scikit-learn's package: a row an image, its pixels and its digit."""


def digits(parts: int = 2) -> MultimodalData:
    """The digits cut into horizontal bands, from the top.

    Two parts are called ``top`` and ``bottom``, more ``part1``, ``part2``, …; each is a vector
    of 64 / ``parts`` pixels between 0 and 1.

    Raises:
        DataError: ``parts`` does not divide the eight rows.
    """
    if parts not in PARTS:
        raise DataError(f"digits cannot be cut into {parts} parts; use one of 2, 4, 8")
    table = np.loadtxt(_place(), delimiter=",", dtype=np.float32)
    pixels = table[:, :-1] / _BRIGHTEST
    names = ("top", "bottom") if parts == 2 else [f"part{part + 1}" for part in range(parts)]
    bands = np.split(pixels, parts, axis=1)
    return from_mapping(
        "digits" if parts == 2 else f"digits:{parts}",
        dict(zip(names, bands, strict=True)),
        table[:, -1].astype(np.int64),
        kinds=dict.fromkeys(names, Kind.VECTOR),
    )


def _place() -> Path:
    spec = find_spec("sklearn")
    place = Path(spec.origin).parent / _FILE if spec and spec.origin else Path(_FILE)
    if not place.exists():
        raise DataError(f"scikit-learn's digits are not at {place}; install scikit-learn again")
    return place


def digits_from_text(parts: str) -> MultimodalData:
    """The digits by the text after ``digits:``, such as ``"4"`` (empty: two halves).

    Raises:
        DataError: the text is not one of the allowed numbers of parts.
    """
    number = whole(parts or "2")
    if number is None:
        raise DataError(f"digits cannot be cut into {parts!r} parts; use one of 2, 4, 8")
    return digits(number)
