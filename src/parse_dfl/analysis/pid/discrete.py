"""Modalities of a few symbols: those that can be counted instead of learned."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_SYMBOLS = 20


def as_symbols(values: NDArray[Any]) -> NDArray[np.int64] | None:
    """Codes 0, 1, … of whole numbers, one a sample, of at most 20 values; else None."""
    if values.ndim > 2 or values[0].size != 1:
        return None
    column = values.reshape(-1)
    if column.dtype.kind == "f" and (column != np.floor(column)).any():
        return None
    found, codes = np.unique(column, return_inverse=True)
    return codes.astype(np.int64) if len(found) <= MOST_SYMBOLS else None
