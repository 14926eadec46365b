"""The exact decomposition of discrete values.

The exact decomposition of discrete variables (BROJA).

The union information R + U1 + U2 is the least I_Q(X1,X2;Y) over the distributions Q(x1,x2,y)
whose pair marginals (X1,Y) and (X2,Y) are those of P; the rest are mutual informations of P.

Bertschinger, Rauh, Olbrich, Jost, Ay, "Quantifying unique information", Entropy 2014, 16(4),
https://doi.org/10.3390/e16042161.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parse_dfl.analysis.pid.decomposition import Information, Table, mutual_information
from parse_dfl.analysis.pid.union_information import Alignment, align

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


TOLERANCE_BITS = 1e-5
"""The certified distance from the optimum at which the solver stops."""
ITERATIONS = 50_000
"""Random distributions of 5 × 5 × 5 values need some hundreds, the hardest some ten thousand."""

Symbols = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Exact:
    """The information of a distribution, and the solution that gives its union."""

    information: Information
    alignment: Alignment


def solve(joint: Table) -> Exact:
    """Decompose the distribution ``joint``, shape (x1, x2, y), summing to 1.

    Its atoms are ``solve(joint).information.atoms()``.
    """
    first, second = joint.sum(axis=1), joint.sum(axis=0)
    alignment = align(first, second, tolerance_bits=TOLERANCE_BITS, iterations=ITERATIONS)
    information = Information(
        first=mutual_information(first),
        second=mutual_information(second),
        union=alignment.bits,
        joint=mutual_information(joint.reshape(-1, joint.shape[2])),
    )
    return Exact(information=information, alignment=alignment)


def frequencies(first: Symbols, second: Symbols, label: Symbols) -> Table:
    """How often each triple occurs, shape (x1, x2, y), summing to 1, of columns of 0, 1, …"""
    shape = (int(first.max()) + 1, int(second.max()) + 1, int(label.max()) + 1)
    cells = np.ravel_multi_index((first, second, label), shape)
    counts = np.bincount(cells, minlength=int(np.prod(shape)))
    return np.asarray(counts.reshape(shape) / len(label))


def pointwise(exact: Exact, joint: Table, cells: tuple[Symbols, Symbols, Symbols]) -> Table:
    """Each sample's information, shape (samples, 4), in the order of :class:`Information`."""
    x1, x2, y = cells
    label = joint.sum(axis=(0, 1))
    first, second, pair = joint.sum(axis=1), joint.sum(axis=0), joint.sum(axis=2)
    columns = (
        first[x1, y] / first.sum(axis=1)[x1],
        second[x2, y] / second.sum(axis=1)[x2],
        np.exp2(exact.alignment.first[x1, y] + exact.alignment.second[x2, y]),
        joint[x1, x2, y] / pair[x1, x2],
    )
    return np.asarray(np.log2(np.stack(columns, axis=1) / label[y, None]))
