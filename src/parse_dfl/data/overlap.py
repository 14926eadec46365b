"""Overlapping windows: found by their content, so that none straddles two parts of the data."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from parse_dfl.data.dataset import MultimodalData
from parse_dfl.modalities import Kind

LEAST_SHARE = 0.1
"""Windows count as overlapping if this share of all neighbours in the file overlap alike; less
is coincidence."""


def reach(data: MultimodalData) -> int:
    """How many samples after one, in file order, share some of its time steps (0: none).

    Looks at series and videos whose windows lie in the file in time order: window i + 1 begins
    with what window i holds from step p on.  Shuffled windows are not recognised.
    """
    return max(
        (
            _reach_of(values.reshape(len(values), values.shape[1], -1))
            for name, values in data.modalities.items()
            if data.kinds[name] in (Kind.SERIES, Kind.VIDEO)
        ),
        default=0,
    )


def _reach_of(windows: NDArray[np.float32]) -> int:
    """The reach of windows, shape (samples, time, channels)."""
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
