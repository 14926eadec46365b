"""Compute the sparse mixing matrix W of an overlay by Metropolis-Hastings weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from parse_dfl.errors import ConfigError
from parse_dfl.overlays.graph import Edges

DENSE_UP_TO = 1000
"""Up to this size all eigenvalues are computed, above it only the two largest."""

STRIP_ENTRIES = 1 << 17
LEAST_STRIP_COLUMNS = 512
"""Entries of the strips of columns that are mixed at once: half a megabyte stays in the cache, and
a strip's part of a row is long enough to be read at full speed."""

CsrRows = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""The rows that are added up, bag after bag, shape=(entries,), where each bag begins, shape=(n,),
and what each of its rows weighs, shape=(entries,)."""


@dataclass(frozen=True, eq=False)
class MixingMatrix:
    """A row-stochastic matrix: row ``target`` receives ``weight`` times row ``source``.

    Build it with :meth:`of`, which gives each row what is missing to one.
    """

    source: NDArray[np.int64]  # shape=(E,)
    target: NDArray[np.int64]  # shape=(E,)
    weight: NDArray[np.float64]  # shape=(E,)
    self_weight: NDArray[np.float64]  # shape=(n,)
    _csr_cache: dict[tuple[torch.device, torch.dtype], CsrRows] = field(
        default_factory=dict, init=False, repr=False
    )

    @classmethod
    def of(
        cls,
        source: NDArray[np.int64],
        target: NDArray[np.int64],
        weight: NDArray[np.float64],
        *,
        size: int,
    ) -> MixingMatrix:
        """Mix ``size`` rows over these directed edges; each keeps what is left of 1."""
        received = np.bincount(target, weights=weight, minlength=size)
        return cls(source, target, weight, np.asarray(1.0 - received, dtype=np.float64))

    @property
    def size(self) -> int:
        """Number of rows n."""
        return len(self.self_weight)

    def dense(self) -> NDArray[np.float64]:
        """Return W itself, shape=(n, n)."""
        matrix = np.diag(self.self_weight)
        matrix[self.target, self.source] += self.weight
        return matrix

    def drop_nodes(self, absent: NDArray[np.bool_]) -> MixingMatrix:
        """Return the mixing of a round that ``absent``, shape=(n,), members miss.

        Their edges carry nothing and both ends keep the missing weight.  A symmetric W stays
        doubly stochastic, a reversible one keeps its stationary distribution; of a directed one
        only the rows still sum to one.
        """
        return self.select_edges(~(absent[self.source] | absent[self.target]))

    @staticmethod
    def combine(parts: Iterable[tuple[MixingMatrix, NDArray[np.int64]]], size: int) -> MixingMatrix:
        """Make one mixing over ``size`` rows from those of disjoint groups of rows.

        Each part is a group's mixing and the rows, shape=(group,), that its members stand in.
        Rows of no group keep themselves.
        """
        listed = list(parts)
        none = np.empty(0, dtype=np.int64)
        return MixingMatrix.of(
            np.concatenate([none, *(rows[mixing.source] for mixing, rows in listed)]),
            np.concatenate([none, *(rows[mixing.target] for mixing, rows in listed)]),
            np.concatenate([none.astype(float), *(mixing.weight for mixing, _ in listed)]),
            size=size,
        )

    def select_edges(self, kept: NDArray[np.bool_]) -> MixingMatrix:
        """Return the mixing over the ``kept`` edges, shape=(E,), only; the rest goes to self."""
        return MixingMatrix.of(
            self.source[kept], self.target[kept], self.weight[kept], size=self.size
        )

    def edge_tensors(self, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return sources, targets and weights, each shape=(E,), on the device and with the dtype of
        ``like``."""
        return (
            torch.from_numpy(self.source).to(like.device),
            torch.from_numpy(self.target).to(like.device),
            torch.from_numpy(self.weight).to(like),
        )

    def apply(self, matrix: torch.Tensor) -> torch.Tensor:
        """Return W @ ``matrix``, a floating-point matrix of shape (n, P), on its device.

        Each row is a weighted sum over a bag of rows: itself, then its sources by rising index.
        """
        return csr_product(matrix, self._csr_rows(matrix))

    def apply_in_place(self, matrix: torch.Tensor) -> None:
        """Replace ``matrix``, shape=(n, P), by W @ ``matrix``: :meth:`apply` without a copy."""
        for mix in self.column_blocks(matrix):
            mix()

    def column_blocks(self, matrix: torch.Tensor) -> list[Callable[[], object]]:
        """Return tasks that together, in any order or at once, do :meth:`apply_in_place`.

        A mixed column needs that column alone, so that strips of columns are mixed on their own:
        what is new of a strip is still in the cache when it is written back, and no second matrix
        is allocated, which costs more than the sums.
        """
        width = max(LEAST_STRIP_COLUMNS, STRIP_ENTRIES // max(1, self.size))
        bags = self._csr_rows(matrix)
        return [partial(_mix, strip, bags) for strip in matrix.split(width, 1)]

    def _csr_rows(self, matrix: torch.Tensor) -> CsrRows:
        key = (matrix.device, matrix.dtype)
        if key not in self._csr_cache:
            row = np.arange(self.size)
            source = np.concatenate([row, self.source])
            target = np.concatenate([row, self.target])
            weight = np.concatenate([self.self_weight, self.weight])
            by_row = np.lexsort((source, source != target, target))
            starts = np.searchsorted(target[by_row], row)
            self._csr_cache[key] = (
                torch.from_numpy(source[by_row]).to(matrix.device),
                torch.from_numpy(starts).to(matrix.device),
                weights_for(matrix, weight[by_row]),
            )
        return self._csr_cache[key]


def _mix(strip: torch.Tensor, bags: CsrRows) -> None:
    strip.copy_(csr_product(strip, bags))


def weights_for(matrix: torch.Tensor, weight: NDArray[np.float64]) -> torch.Tensor:
    """Return the weights of bags of rows of ``matrix``: on its device, in float32 for bfloat16.

    Rows of W rounded to bfloat16 would not sum to one, and all parameters would grow or shrink.
    """
    wide = torch.promote_types(matrix.dtype, torch.float32)
    return torch.from_numpy(weight).to(matrix.device, wide)


def csr_product(matrix: torch.Tensor, bags: CsrRows) -> torch.Tensor:
    """Return the weighted sum of each bag of rows of ``matrix``, shape=(n, P), made with the
    precision of the weights.

    ``embedding_bag`` adds them in their order on any device, without atomics, so that equal input
    gives equal bits.  It cannot add rows without columns, as of a branch without parameters.
    """
    sources, starts, weights = bags
    if not matrix.shape[1]:
        return matrix.clone()
    with torch.no_grad():
        sums = torch.nn.functional.embedding_bag(
            sources, matrix.to(weights.dtype), starts, mode="sum", per_sample_weights=weights
        )
    return sums.to(matrix.dtype)


def spectral_gap(mixing: MixingMatrix) -> float:
    """Return 1 - |λ₂|, the least share of all disagreement that a round removes; 0 if cut."""
    if mixing.size < 2:
        return 1.0
    if mixing.size <= DENSE_UP_TO:
        moduli = np.abs(np.linalg.eigvals(mixing.dense()))
    else:
        moduli = np.abs(_two_largest_eigenvalues(mixing))
    return max(0.0, float(1.0 - np.sort(moduli)[-2]))


def least_eigenvalue(mixing: MixingMatrix) -> float:
    """Return W's least eigenvalue (its real part): below zero, neighbours overshoot each other."""
    if mixing.size <= DENSE_UP_TO:
        return float(np.linalg.eigvals(mixing.dense()).real.min())
    from scipy.sparse.linalg import eigs

    start = np.random.default_rng(0).random(mixing.size)
    values = eigs(_sparse(mixing), k=1, which="SR", v0=start, return_eigenvectors=False)
    return float(values.real.min())


def _two_largest_eigenvalues(mixing: MixingMatrix) -> NDArray[np.complex128]:
    from scipy.sparse.linalg import ArpackNoConvergence, eigs

    start = np.random.default_rng(0).random(mixing.size)  # ARPACK's own is not seeded
    two_largest = partial(eigs, _sparse(mixing), k=2, v0=start, return_eigenvectors=False)
    try:
        values = two_largest(which="LM", maxiter=300)
    except ArpackNoConvergence:
        # Slow overlays, as a long ring, crowd their eigenvalues below 1: look for those around
        # it, by a sparse factorisation, which such thin graphs make cheap.
        values = two_largest(sigma=1.0 + 1e-5)
    return np.asarray(values, dtype=np.complex128)


def _sparse(mixing: MixingMatrix) -> Any:
    """Return W as a sparse matrix of scipy's."""
    from scipy.sparse import coo_array, diags_array

    edges = coo_array((mixing.weight, (mixing.target, mixing.source)), shape=(mixing.size,) * 2)
    return (edges + diags_array(mixing.self_weight)).tocsc()


Numbers = NDArray[np.float64] | NDArray[np.int64] | float


def metropolis_weight(
    own_degree: Numbers, degree: Numbers, *, sample_ratio: Numbers = 1.0
) -> NDArray[np.float64]:
    """Return W_ij, what i gives to the row of its neighbour j.

    Metropolis-Hastings for the stationary distribution π: propose each neighbour and itself
    with 1/(1 + d_i), accept with min(1, π_j (1 + d_i) / (π_i (1 + d_j))), so that

        W_ij = min(1/(1 + d_i), (π_j/π_i) · 1/(1 + d_j))

    and π_i W_ij = π_j W_ji.  Equal π give 1/(1 + max(d_i, d_j)).

    Args:
        own_degree: d_i.
        degree: d_j.
        sample_ratio: π_j/π_i, the neighbour's number of samples over i's own.

    Source: W. K. Hastings, "Monte Carlo sampling methods using Markov chains and their
    applications", Biometrika 57, 1970; for averaging L. Xiao, S. Boyd, S. Lall, "A scheme for
    robust distributed sensor fusion based on average consensus", IPSN 2005.
    """
    proposed = 1.0 / (1.0 + np.asarray(own_degree))
    return np.minimum(proposed, sample_ratio / (1.0 + np.asarray(degree)))


def metropolis(edges: Edges, *, samples: NDArray[np.int64] | None = None) -> MixingMatrix:
    """Return the mixing matrix of an overlay: what neighbours do not get stays with oneself.

    Undirected edges get :func:`metropolis_weight`: symmetric and doubly stochastic, or, with
    the members' numbers of ``samples`` (shape=(n,)), row-stochastic with a stationary
    distribution in proportion to them.  Directed edges must be one-peer, each member receiving
    from one and sending to one: W = (I + P) / 2.

    Raises:
        ConfigError: samples are given for directed edges, or are not positive.
    """
    if edges.directed:
        if samples is not None:
            raise ConfigError(
                "a directed topology cannot mix by sample counts; "
                "use an undirected one or by_samples = false"
            )
        source, target = edges.pairs.T
        return MixingMatrix.of(source, target, np.full(len(source), 0.5), size=len(edges.members))
    degrees = edges.degrees()
    source, target = np.concatenate([edges.pairs, edges.pairs[:, ::-1]]).T
    ratio = 1.0 if samples is None else _ratio(edges, samples, source, target)
    weight = metropolis_weight(degrees[target], degrees[source], sample_ratio=ratio)
    return MixingMatrix.of(source, target, weight, size=len(edges.members))


def _ratio(
    edges: Edges,
    samples: NDArray[np.int64],
    source: NDArray[np.int64],
    target: NDArray[np.int64],
) -> NDArray[np.float64]:
    if np.any(samples < 1):
        least = int(np.argmin(samples))
        raise ConfigError(
            f"agent {edges.members[least]!r} has {samples[least]} samples; "
            "mixing by sample counts needs at least 1"
        )
    return np.asarray(samples[source] / samples[target], dtype=np.float64)
