"""Mixing weights from the neighbours' degrees alone, so that a peer can compute its own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from parse_dfl.errors import ConfigError
from parse_dfl.overlays.edges import Edges
from parse_dfl.overlays.mixing import Mixing

Numbers = NDArray[np.float64] | NDArray[np.int64] | float


def metropolis_weight(
    own_degree: Numbers, degree: Numbers, *, sample_ratio: Numbers = 1.0
) -> NDArray[np.float64]:
    """W_ij, what i gives to the row of its neighbour j.

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


def metropolis(edges: Edges, *, samples: NDArray[np.int64] | None = None) -> Mixing:
    """The mixing matrix of an overlay: what the neighbours do not get stays with oneself.

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
        return Mixing.of(source, target, np.full(len(source), 0.5), size=len(edges.members))
    degrees = edges.degrees()
    source, target = np.concatenate([edges.pairs, edges.pairs[:, ::-1]]).T
    ratio = 1.0 if samples is None else _ratio(edges, samples, source, target)
    weight = metropolis_weight(degrees[target], degrees[source], sample_ratio=ratio)
    return Mixing.of(source, target, weight, size=len(edges.members))


def _ratio(
    edges: Edges,
    samples: NDArray[np.int64],
    source: NDArray[np.int64],
    target: NDArray[np.int64],
) -> NDArray[np.float64]:
    if np.any(samples < 1):
        place = int(np.argmin(samples))
        raise ConfigError(
            f"agent {edges.members[place]!r} has {samples[place]} samples; "
            "mixing by sample counts needs at least 1"
        )
    return np.asarray(samples[source] / samples[target], dtype=np.float64)
