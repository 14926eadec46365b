"""Mix robustly: aggregations for overlays on which some members lie.

Each is an agent's own decision about the rows that arrive, from these and its own row alone, so
a simulator and a peer use the same code.  Its own row is what it trusts.

- :class:`ClippedGossip` gives a row that is far away less weight.  Paper: "Byzantine-Robust
  Decentralized Learning via ClippedGossip", He, Karimireddy, Jaggi, arXiv 2202.01545 (2022).
- :class:`LocalSimilarity` gives it none.  Paper: "Byzantine-Robust Decentralized Federated
  Learning" (BALANCE), Fang et al., CCS 2024.
- :class:`Trimming` leaves out the extremes of every column.  Paper: "BRIDGE: Byzantine-Resilient
  Decentralized Gradient Descent", Fang, Yang, Bajwa, IEEE Transactions on Signal and Information
  Processing over Networks, 2022.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from math import exp

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from parse_dfl.byzantine import (
    Averaging,
    Balance,
    Clipping,
    RobustRule,
    TrimmedMean,
    attackers_among,
)
from parse_dfl.errors import OverlayError
from parse_dfl.methods.base import Average, BranchView, Messages, Method
from parse_dfl.overlays.mixing_matrix import MixingMatrix

MOST_NUMBERS = 2**18
"""Differences that are held at once: few enough to stay in a processor's cache."""

DENSE = 50
"""An overlay of n rows is thin if it has less than n²/50 edges; then all distances cost more."""

Shares = NDArray[np.float64]


class Robust(Average):
    """A rule that takes the place of averaging, and sends the same."""

    @abstractmethod
    def holds(self, degree: int) -> bool:
        """Return whether the rule is well-posed for an agent of ``degree`` neighbours, above 0."""

    def check(self, branch: str, agent: str, degree: int) -> None:
        """Check that the rule is well-posed on ``branch``, where ``agent`` has ``degree``
        neighbours.

        Raises:
            OverlayError: it is not; the message names the branch, the degree and what would do.
        """
        if not degree or self.holds(degree):
            return
        enough = next((d for d in range(degree + 1, 1000) if self.holds(d)), None)
        needs = f"needs {enough}" if enough else "needs fewer attackers"
        raise OverlayError(
            f"{self} is ill-posed on {branch}: {agent} has {degree} "
            f"{'neighbour' if degree == 1 else 'neighbours'} there, and it {needs}; use a "
            "topology of more neighbours (full, regular:4), more owners, fewer attackers, or "
            "balance"
        )


class Reweighting(Robust):
    """A rule that leaves each edge a share, in [0, 1], of its weight; the rest stays with self.

    BranchView of W sum to one whatever arrives; while no edge loses weight it is plain averaging.
    """

    def receive(self, rows: BranchView, sent: Messages, mixing: MixingMatrix) -> Tensor:
        """Average with the weights that are left."""
        theta = sent["theta"]
        shares = self.shares(rows, theta, mixing)
        kept = shares > 0
        if np.all(shares == 1):
            return mixing.apply(theta)
        weight = mixing.weight[kept] * shares[kept]
        left = MixingMatrix.of(mixing.source[kept], mixing.target[kept], weight, size=mixing.size)
        return left.apply(theta)

    @abstractmethod
    def shares(self, rows: BranchView, theta: Tensor, mixing: MixingMatrix) -> Shares:
        """Return the share of each directed edge, shape=(E,)."""


class ClippedGossip(Reweighting):
    """θ_i ← θ_i + Σ_j W_ij clip(θ_j − θ_i, τ_i), with clip(z, τ) = min(1, τ/‖z‖) z.

    The radius τ_i is the largest distance of a neighbour when the assumed attackers, the farthest,
    are put aside: of one attacker the second largest, as in the authors' code.
    """

    def __init__(self, settings: Clipping) -> None:
        self._settings = settings

    def __str__(self) -> str:
        return f"clipping of attackers={self._settings.attackers:g}"

    def holds(self, degree: int) -> bool:
        """Require that someone is left to measure the radius by."""
        return (
            self._settings.radius > 0 or attackers_among(self._settings.attackers, degree) < degree
        )

    def shares(self, rows: BranchView, theta: Tensor, mixing: MixingMatrix) -> Shares:  # noqa: ARG002
        """Return min(1, τ_i/‖θ_j − θ_i‖)."""
        distance = edge_distances(theta, mixing)
        fixed = self._settings.radius
        radius = np.full(mixing.size, fixed) if fixed else self._radii(distance, mixing)
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = np.minimum(1.0, radius[mixing.target] / distance)
        shares[distance <= radius[mixing.target]] = 1.0  # equal rows: 0/0
        return shares

    def _radii(self, distance: Shares, mixing: MixingMatrix) -> Shares:
        """Return τ_i of every row, shape=(n,); 0 where too few neighbours are there to tell."""
        order = np.lexsort((distance, mixing.target))
        degree = np.bincount(mixing.target, minlength=mixing.size)
        start = np.cumsum(degree) - degree
        honest = degree - [attackers_among(self._settings.attackers, int(d)) for d in degree]
        radius = np.zeros(mixing.size)
        measured = honest > 0
        radius[measured] = distance[order][start[measured] + honest[measured] - 1]
        return radius


class LocalSimilarity(Reweighting):
    """BALANCE: j is heard if ‖θ_j − θ_i‖ ≤ γ exp(−κ t/T) ‖θ_i‖.

    In the paper the accepted are averaged evenly and mixed in with one weight; here they keep
    their Metropolis weights, so that without attackers it is plain averaging.
    """

    def __init__(self, settings: Balance) -> None:
        self._settings = settings

    def __str__(self) -> str:
        return f"balance of gamma={self._settings.gamma:g}"

    def holds(self, degree: int) -> bool:  # noqa: ARG002
        """Return True: each neighbour is judged alone."""
        return True

    def shares(self, rows: BranchView, theta: Tensor, mixing: MixingMatrix) -> Shares:
        """Return 1 for the near, 0 for the others."""
        length = torch.linalg.vector_norm(theta, dim=1, dtype=torch.float64).cpu().numpy()
        near = self._settings.gamma * exp(-self._settings.kappa * rows.progress)
        distance = edge_distances(theta, mixing)
        return (distance <= near * length[mixing.target]).astype(np.float64)


class Trimming(Robust):
    """Column by column: leave out the b largest and b smallest of the neighbours' numbers, and
    average the others and one's own evenly.

    Metropolis weights have no say: a weight that an attacker could claim would.
    """

    def __init__(self, settings: TrimmedMean) -> None:
        self._settings = settings

    def __str__(self) -> str:
        return f"trimmed-mean of attackers={self._settings.attackers:g}"

    def holds(self, degree: int) -> bool:
        """Require that something is left between the extremes."""
        return 2 * attackers_among(self._settings.attackers, degree) < degree

    def receive(self, rows: BranchView, sent: Messages, mixing: MixingMatrix) -> Tensor:  # noqa: ARG002
        """Return the trimmed mean; a row of too few neighbours in this round stays as it is."""
        theta = sent["theta"]
        mixed = theta.clone()
        order = np.lexsort((mixing.source, mixing.target))
        degree = np.bincount(mixing.target, minlength=mixing.size)
        for row, sources in enumerate(np.split(mixing.source[order], np.cumsum(degree)[:-1])):
            if len(sources) and self.holds(len(sources)):
                mixed[row] = self._trimmed(theta[row], theta[torch.from_numpy(sources)])
        return mixed

    def _trimmed(self, row: Tensor, others: Tensor) -> Tensor:
        middle = _without_extremes(others, attackers_among(self._settings.attackers, len(others)))
        return torch.stack([row, *middle]).mean(0)


def robust_rule(settings: RobustRule) -> Robust:
    """Return the rule of these settings, none of which is plain averaging."""
    if isinstance(settings, Clipping):
        return ClippedGossip(settings)
    if isinstance(settings, Balance):
        return LocalSimilarity(settings)
    assert isinstance(settings, TrimmedMean)
    return Trimming(settings)


def robust_method(method: Method, settings: RobustRule) -> Method:
    """Return ``method`` with a robust rule wherever it averages."""
    if isinstance(settings, Averaging):
        return method
    rule = robust_rule(settings)
    return replace(method, stages=tuple(replace(s, averaging=rule) for s in method.stages))


def edge_distances(theta: Tensor, mixing: MixingMatrix) -> Shares:
    """Return ‖θ_source − θ_target‖ of each directed edge, shape=(E,).

    NaN or infinite for a row that holds such numbers.

    On dense overlays all distances at once, from inner products, are thirty times faster than
    one by one; in float64 they lose nothing that matters.
    """
    source, target, _ = mixing.edge_tensors(theta)
    if DENSE * len(source) >= mixing.size**2:
        wide = theta.to(torch.float64)
        inner = wide @ wide.T
        length = inner.diagonal()
        squared = length[source] + length[target] - 2 * inner[source, target]
        distances = squared.clamp_min(0).sqrt()
    else:
        step = max(1, MOST_NUMBERS // max(1, theta.shape[1]))
        parts = zip(source.split(step), target.split(step), strict=True)
        norms = [torch.linalg.vector_norm(theta[i] - theta[j], dim=1) for i, j in parts]
        distances = torch.cat(norms)
    return np.asarray(distances.cpu().numpy(), dtype=np.float64)


def _without_extremes(rows: Tensor, cut: int) -> list[Tensor]:
    """Return ``rows`` without the ``cut`` largest and smallest numbers of each column, unordered.

    A few passes of a bubble sort over whole rows, ten times faster than sorting every column;
    NaN counts as the largest.
    """
    left = list(rows.nan_to_num(nan=torch.inf, posinf=torch.inf, neginf=-torch.inf))
    for _ in range(cut):
        for index in range(len(left) - 1):
            pair = left[index], left[index + 1]
            left[index], left[index + 1] = torch.minimum(*pair), torch.maximum(*pair)
        left.pop()
        for index in reversed(range(len(left) - 1)):
            pair = left[index], left[index + 1]
            left[index], left[index + 1] = torch.minimum(*pair), torch.maximum(*pair)
        left.pop(0)
    return left
