"""The order of an overlay's members, which every peer computes alike with no coordinator.

Members stand by hash(seed, label, name): a newcomer slips in between two others and leaves the
order of the rest as it was, so that it changes few edges.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from parse_dfl.branches import stable_hash


def order(members: Sequence[str], *, seed: int, label: str) -> list[str]:
    """``members`` sorted by hash(seed, label, name), whatever order they came in."""
    return [members[index] for index in ranking(members, seed=seed, label=label)]


def ranking(members: Sequence[str], *, seed: int, label: str) -> NDArray[np.int64]:
    """Which member stands at each place of :func:`order`, shape=(n,), indices into ``members``."""
    hashes = [stable_hash(seed, label, name) for name in members]
    by_hash = sorted(range(len(members)), key=lambda index: (hashes[index], members[index]))
    return np.array(by_hash, dtype=np.int64)
