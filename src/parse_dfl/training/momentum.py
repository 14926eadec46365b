"""Momentum along the way that an agent goes together with its neighbours.

Under label skew an agent's own momentum keeps pulling towards its own data after the exchange.
Quasi-global momentum takes the difference of two rounds' parameters, exchange included, which
is closer to the way of all, and costs nothing to send:

    θ ← θ + γ · (lr_t / lr_{t−1}) · (θ_t − θ_{t−1})    before the local steps of round t

The pull towards the neighbours is carried on as well, which speeds gossip up as second-order
diffusion does (Muthukrishnan, Ghosh, Schultz, 1998).

Like that, it is stable only where every eigenvalue μ of W is above −1/(1 + 2γ): −0.385 for
γ = 0.8.  (The mode of μ follows z² − μ(1 + γ)z + μγ = 0, which leaves the unit circle at z = −1.)
Rings stay above −1/3; a chordal ring of 10 goes down to −0.6, and its agents drift apart.

Paper: "Quasi-Global Momentum: Accelerating Decentralized Deep Learning on Heterogeneous Data",
Lin, Karimireddy, Stich, Jaggi, ICML 2021; here with the local optimizer's own preconditioning
inside the difference, and without a running mean.
"""

from __future__ import annotations

import torch

from parse_dfl.training.rows import BranchRows

LAST = "last"
"""The name, among a branch's moments, of the parameters as the last round began."""


@torch.no_grad()
def move_on(rows: BranchRows, share: float) -> None:
    """Move each row on by ``share`` of the way that it went since it was last here."""
    before = rows.moments[LAST]
    way = rows.theta - before
    before.copy_(rows.theta)
    rows.theta.add_(way, alpha=share)
