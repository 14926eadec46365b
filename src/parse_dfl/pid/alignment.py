"""The least informative joint of two modalities, by alternating projections.

The union information is min over Q with the given pair marginals, and over any measure r on
pairs, of KL(Q ‖ r(x1,x2) p(y)): for a fixed Q the best r is Q(x1,x2).  Both sets are convex, so
projecting in turn reaches the optimum (Csiszár and Tusnády 1984):

- given r, Q(x1,x2,y) = r(x1,x2) u(x1,y) v(x2,y), with u and v from Sinkhorn's scaling of each
  class to its marginals;
- given Q, r(x1,x2) ← Σ_y Q(x1,x2,y) = r(x1,x2) Σ_y u(x1,y) v(x2,y).

log u and log v are the programme's dual variables: subtracting the log of max Σ_y u v makes
them feasible, and their value a lower bound that certifies how far the optimum can be.

Everything is a product of matrices of shape (x1, x2) and (x, y); no array of shape (x1, x2, y)
is ever made, so batches of hundreds of samples and dozens of classes cost milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from parse_dfl.pid.information import Table, entropy

SCALINGS = 3
"""Sinkhorn steps per projection; more bring the optimum no sooner."""
CHECK_EVERY = 20
TINY = 1e-300


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """The union information in bits, a bound on its distance from the optimum, and r."""

    bits: float
    gap_bits: float
    pairs: Table  # shape=(x1, x2), sums to 1


def align(
    first: Table,
    second: Table,
    *,
    tolerance_bits: float = 1e-3,
    iterations: int = 2000,
    start: Table | None = None,
) -> Alignment:
    """The union information of the pair marginals ``first``, shape (x1, y), and ``second``.

    Args:
        first: P(x1, y), sums to 1.
        second: P(x2, y), sums to 1, with the same P(y).
        tolerance_bits: stops once the optimum is certainly nearer than this.
        iterations: stops after so many in any case.
        start: r to begin with, shape (x1, x2), everywhere positive (None: independence).
    """
    pairs = np.outer(first.sum(axis=1), second.sum(axis=1)) if start is None else start
    v = np.ones_like(second)
    bits = gap = np.inf
    for done in range(1, iterations + 1):
        for _ in range(SCALINGS):
            u = first / np.maximum(pairs @ v, TINY)
            v = second / np.maximum(pairs.T @ u, TINY)
        density = u @ v.T
        pairs = pairs * density
        if done % CHECK_EVERY == 0 or done == iterations:
            bits = _value(first, u) + _value(second, v) + entropy(first.sum(axis=0))
            gap = float(np.log2(density.max()))
            if gap < tolerance_bits:
                break
    return Alignment(bits=bits, gap_bits=gap, pairs=pairs)


def _value(marginal: Table, scaling: Table) -> float:
    """Σ P(x,y) log2 of the scaling."""
    return float((marginal * np.log2(np.maximum(scaling, TINY))).sum())
