"""The least informative joint of two modalities, by alternating projections.

The union information is min over Q with the given pair marginals, and over any measure r on
pairs, of KL(Q ‖ r(x1,x2) p(y)): for a fixed Q the best r is Q(x1,x2).  Both sets are convex, so
projecting in turn reaches the optimum (Csiszár and Tusnády 1984):

- given r, Q(x1,x2,y) = r(x1,x2) u(x1,y) v(x2,y), with u and v from Sinkhorn's scaling of each
  class to its marginals;
- given Q, r(x1,x2) ← Σ_y Q(x1,x2,y) = r(x1,x2) Σ_y u(x1,y) v(x2,y).

log u and log v are the programme's dual variables: dividing each row of u by its greatest
Σ_y u(x1,y) v(x2,y) over x2 makes them feasible, and their value a lower bound that certifies
how far the optimum can be.

Everything is a product of matrices of shape (x1, x2) and (x, y); no array of shape (x1, x2, y)
is ever made, so batches of hundreds of samples and dozens of classes cost milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from parse_dfl.analysis.pid.decomposition import Table, entropy

SCALINGS = 3
"""Sinkhorn steps per projection; more bring the optimum no sooner."""
CHECK_EVERY = 20
TINY = 1e-300


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """The union information and the scalings that give it.

    Attributes:
        bits: R + U1 + U2.
        gap_bits: how far above the optimum ``bits`` can be at most.
        first: log2 of u; with ``second`` the programme's dual variables: the mean of
            first(x1, y) + second(x2, y) - log2 p(y) over P is ``bits``.
        second: log2 of v.
    """

    bits: float
    gap_bits: float
    first: Table  # shape=(x1, y)
    second: Table  # shape=(x2, y)


def align(
    first: Table,
    second: Table,
    *,
    tolerance_bits: float = 1e-3,
    iterations: int = 300,
) -> Alignment:
    """The union information of the pair marginals ``first``, shape (x1, y), and ``second``.

    Args:
        first: P(x1, y), sums to 1.
        second: P(x2, y), sums to 1, with the same P(y).
        tolerance_bits: stops once the optimum is certainly nearer than this.
        iterations: stops after so many in any case.
    """
    pairs = np.outer(first.sum(axis=1), second.sum(axis=1))
    v = np.ones_like(second)
    for done in range(1, iterations + 1):
        for _ in range(SCALINGS):
            u = first / np.maximum(pairs @ v, TINY)
            v = second / np.maximum(pairs.T @ u, TINY)
        density = u @ v.T
        pairs = pairs * density
        if done % CHECK_EVERY == 0 and _gap(density, first, second) < tolerance_bits:
            break
    log_u, log_v = np.log2(np.maximum(u, TINY)), np.log2(np.maximum(v, TINY))
    label_bits = entropy(first.sum(axis=0))
    return Alignment(
        bits=float(np.vdot(first, log_u) + np.vdot(second, log_v)) + label_bits,
        gap_bits=_gap(density, first, second),
        first=log_u,
        second=log_v,
    )


def _gap(density: Table, first: Table, second: Table) -> float:
    """How much the value drops when the rows (or, if that is less, the columns) are divided."""
    by_row = first.sum(axis=1) @ np.log2(np.maximum(density.max(axis=1), TINY))
    by_column = second.sum(axis=1) @ np.log2(np.maximum(density.max(axis=0), TINY))
    return float(min(by_row, by_column))
